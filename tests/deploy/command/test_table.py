"""The README's tables say which figures are not exact."""

import json

import pytest

from signflow.deploy.command import table
from signflow.deploy.steps import SYNTHESISED, VERIFIED

VERIFY = {
    "network": "tfc",
    "ladder": [{"rung": "RTL simulation", "accuracy": 0.5, "logits": 20, "mismatches": 1}],
    "cycles": {"simulated": {"latency": 1234, "interval": 98}},
}
TOTAL = {"lut": 2204, "ff": 1822, "bram36": 2, "bram18": 1, "dsp": 0}


@pytest.mark.parametrize(("exact", "mark"), [(True, ""), (False, "~")])
def test_luts_of_parts_are_marked(tmp_path, exact, mark):
    (tmp_path / VERIFIED).write_text(json.dumps(VERIFY))
    (tmp_path / SYNTHESISED).write_text(json.dumps({"exact": exact, "total": TOTAL, "fps": 1e6, "lut_per_mac": 3.4}))
    row = f"| tfc | 50.00% | 19 of 20 | 1,234 | 98 | 1,000,000 | {mark}2,204 | 1,822 | 2.5 | 0 | {mark}3.40 |"
    assert table.results([tmp_path]).splitlines()[-1] == row
    row = f"| tfc | 50.00% | 19 of 20 | 1,234 | 98 | {mark}2,204 | 1,822 | 2.5 | 0 |"
    assert table.against([tmp_path]).splitlines()[-1] == row

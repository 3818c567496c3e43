"""The small nodes that the manual draws (docs/operator_examples.py): their RTL gives the words and cycles that stand
there.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest

import signflow

DOCS = Path(signflow.__file__).parent / "docs"
EXAMPLES = runpy.run_path(str(DOCS / "operator_examples.py"))["EXAMPLES"]
CASES = {f"{name}{one.suffix}": (name, one) for name, ones in EXAMPLES.items() for one in ones}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_picture_is_what_the_circuit_does(bench, case):
    name, one = CASES[case]
    node = bench(name, one.attributes, *one.constants)
    drawn = runpy.run_path(str(DOCS / "draw_operators.py"))["Node"](name, one.attributes, one.inputs, one.constants)
    if name == "Interleave_sf":  # its order is not that of the tensor: test_interleave.py
        pytest.skip("the bench reads frames in the order of the tensor")
    frames = [np.asarray(x).reshape(-1, *s.shape) for x, s in zip(one.inputs, node.ins, strict=True)]
    got, run = node.compile().stream(frames if len(frames) > 1 else frames[0])
    got = got if isinstance(got, list) else [got]
    for words, there in zip(drawn.words[len(frames) :], got, strict=True):
        np.testing.assert_array_equal(words.ravel(), there.ravel())
    if len(drawn.names) == 2:  # joins and forks stand in a wrapper with FIFOs, which has cycles of its own
        np.testing.assert_array_equal(run.in_cycles, drawn.cycles[0])
        np.testing.assert_array_equal(run.out_cycles, drawn.cycles[1])

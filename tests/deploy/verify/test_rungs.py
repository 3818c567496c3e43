"""Float logits become integers where float32's rounding explains how far off they are, and nowhere else."""

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.verify import rungs

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 512))


def climbed(chain, folder, weights):
    """The rungs of one dense layer on bytes."""
    file = chain((512,)).dense(weights, stored=True).save(folder / "net.onnx")
    settings = flow.Settings(str(file), input="uint8")
    flow.write_json(vars(settings), folder / flow.SETTINGS)
    flow.step_export(settings, folder)
    flow.step_streamline(settings, folder)
    return rungs.Rungs(folder)


@pytest.mark.parametrize(("wide", "scale"), [(False, 2.0**-6), (True, 0.013)])
def test_logits_are_refused_that_float32_does_not_explain(chain, tmp_path, monkeypatch, wide, scale):
    """Sums of 512 bytes: signs times a power of two add without rounding; eight bits times an odd scale may be off by
    more than a step in the worst case, and then a quarter is the most.
    """
    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (4, 512)) if wide else rng.choice([-1.0, 1.0], (4, 512))
    found = climbed(chain, tmp_path, weights * scale)
    assert (found.head.error > 1) == wide
    assert found.rounding == (rungs.UNCLEAR if wide else rungs.ROUNDING + found.head.error)
    integers = found.graph(IMAGE)
    logits = found.head(integers).astype(np.float64)
    apart = np.float32(scale) * found.head.accumulators.step
    for sign in (-1, 1):
        monkeypatch.setattr(found, "qonnx_logits", lambda _, s=sign: logits + s * apart * 0.9 * found.rounding)
        np.testing.assert_array_equal(found.qonnx().run(IMAGE), found.head.settle(integers))
        monkeypatch.setattr(found, "qonnx_logits", lambda _, s=sign: logits + s * apart * 1.1 * found.rounding)
        with pytest.raises(rungs.LadderError, match=r"QONNX's logits lie 0.* steps off .* recorded head is not"):
            found.qonnx().run(IMAGE)

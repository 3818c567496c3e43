"""Width converter: words, cycles and refusals."""

import numpy as np
import pytest

from signflow.hw.ops.base import OpError
from signflow.hw.sim.stream import StreamModel


def dwc(bench, narrow, ratio, up, bits="BINARY"):
    size = {"BINARY": 1, "UINT3": 3}[bits]
    widths = [narrow * size, narrow * size * ratio]
    elems = narrow * ratio * 6
    inw, outw = widths if up else widths[::-1]
    return bench(
        "StreamingDataWidthConverter_sf",
        {"inShape": [1, elems], "outShape": [1, elems], "inWidth": inw, "outWidth": outw, "dataType": bits},
    )


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(
    ("narrow", "ratio", "bits"),
    [(1, 2, "BINARY"), (8, 3, "BINARY"), (5, 7, "UINT3"), (64, 4, "BINARY"), (3, 1, "UINT3")],
)
def test_dwc(bench, narrow, ratio, up, bits):
    if ratio == 1:
        with pytest.raises(OpError, match="inWidth = outWidth = 9: equal widths need no converter"):
            node = dwc(bench, narrow, ratio, up, bits)
            node.op.rtl_instance(node.model)
    else:
        dwc(bench, narrow, ratio, up, bits).compile().check(np.random.default_rng(ratio))


def test_through_a_pixel_boundary(bench):
    """A word may hold elements of several pixels: 2 channels to 6 lanes."""
    shape = {"inShape": [1, 3, 4, 2], "outShape": [1, 3, 4, 2], "inWidth": 2, "outWidth": 6, "dataType": "BIPOLAR"}
    bench("StreamingDataWidthConverter_sf", shape).compile().check(np.random.default_rng(0))


@pytest.mark.parametrize("widths", [(6, 12), (18, 6), (6, 18)])
def test_it_carries_flags(bench, widths):
    """Two bits and a flag, so often a word."""
    shape = {"inShape": [1, 6, 12], "outShape": [1, 6, 12], "inWidth": widths[0], "outWidth": widths[1], "padGroup": 2}
    node = bench("StreamingDataWidthConverter_sf", shape | {"dataType": "BINARY"})
    node.compile().check(np.random.default_rng(0))
    node.op.set_nodeattr("padGroup", 4)
    with pytest.raises(OpError, match="words of 4 bits and a flag, padGroup = 4"):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(
    ("vector", "lanes", "bits", "group"),
    [(11, 4, "BINARY", 0), (64, 22, "BIPOLAR", 0), (7, 5, "INT3", 0), (24, 10, "BINARY", 2), (9, 8, "UINT2", 0)],
)
def test_the_last_word_of_a_vector_is_padded(bench, vector, lanes, bits, group, up):
    """Six vectors in words that do not divide them."""
    size = 1 if bits in ("BINARY", "BIPOLAR") else int(bits[-1])
    narrow, wide = (n * size + (n // group if group else 0) for n in (lanes, vector))
    shape = {"inShape": [1, 6, vector], "outShape": [1, 6, vector], "dataType": bits, "padGroup": group}
    widths = {"inWidth": narrow, "outWidth": wide} if up else {"inWidth": wide, "outWidth": narrow}
    node = bench("StreamingDataWidthConverter_sf", shape | widths).compile()
    node.check(np.random.default_rng(vector))
    if not up:
        frames = node.draw(np.random.default_rng(1), 2)
        words = np.packbits(node.ins[0].bits(np.random.default_rng(2), frames), axis=1, bitorder="little")
        with StreamModel(node.compiled, node.folder) as dut:
            run = dut.run(words, 2 * node.outs[0].words)
        last = np.unpackbits(run.words, axis=1, bitorder="little")[-(-vector // lanes) - 1 :: -(-vector // lanes)]
        assert not last[:, wide - (-(-vector // lanes) - 1) * narrow :].any()


def test_only_integer_ratios_or_whole_vectors(bench):
    node = bench(
        "StreamingDataWidthConverter_sf",
        {"inShape": [1, 24], "outShape": [1, 24], "inWidth": 4, "outWidth": 6, "dataType": "BINARY"},
    )
    with pytest.raises(OpError, match="inWidth = 4 and outWidth = 6: one must be a multiple of the other, or hold a"):
        node.op.rtl_instance(node.model)

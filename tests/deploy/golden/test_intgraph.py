"""The compiled integer graph: equal to the graph run node by node, its maps readable by name, fast."""

import time

import numpy as np
import pytest

from signflow.deploy.compile import export, lower
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.golden import intgraph
from signflow.hw.sim import toolchain


@pytest.fixture(scope="module")
def cnv(streamlined):
    return streamlined("cnv"), (1, 32, 32)


def test_maps_are_those_of_the_hardware_graph(cnv, pixels):
    """Every layer by name, every number, against the hardware graph run node by node."""
    from finn.core.onnx_exec import execute_onnx

    from signflow.deploy.compile.images import ImageInput

    graph, shape = cnv
    program, hardware, images = intgraph.IntGraph(graph), lower.lower(graph), pixels(2, shape)
    nodes = {node.name: node for node in hardware.graph.node}
    stream = ImageInput.of(graph).stream(images).astype(np.float32)
    contexts = [execute_onnx(hardware, {hardware.graph.input[0].name: image[None]}, True) for image in stream]
    named = [layer.name for layer in program.layers if layer.name != "image"]
    assert named == [name for name in nodes if not name.startswith("ConvolutionInputGenerator")]
    for name in named:
        expected = np.stack([context[nodes[name].output[0]] for context in contexts])
        assert (program.maps(images, name).reshape(-1) == expected.reshape(-1)).all(), name


def test_threads_and_progress_change_nothing(cnv, pixels):
    graph, shape = cnv
    program, images, seen = intgraph.IntGraph(graph), pixels(200, shape), []
    expected = program(images)
    assert (program(images, threads=2, progress=seen.append) == expected).all()
    assert seen[-1] == 200 and seen == sorted(seen)


@pytest.mark.parametrize("count", [0, 1, 7, 9])
def test_any_number_of_images(cnv, pixels, count):
    graph, shape = cnv
    program = intgraph.IntGraph(graph)
    assert (program(pixels(9, shape)[:count]) == program(pixels(9, shape))[:count]).all()
    assert program(pixels(9, shape)[:count]).shape == (count, 10)


def test_a_millisecond_for_a_cnv_image(cnv, pixels):
    """Best of a few runs, so that a busy machine does not fail it; measured 0.09 ms with AVX-512."""
    graph, shape = cnv
    program, images = intgraph.IntGraph(graph), pixels(64, shape)
    program(images)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        program(images)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) / len(images) < 1e-3


@pytest.mark.parametrize("level", ["native", "x86-64-v2", "x86-64-v3"])
def test_without_wide_vectors(cnv, pixels, level, monkeypatch, tmp_path):
    """The portable path and that of AVX2 compute the same."""
    if level != "native" and {"x86-64-v2": "sse4_2", "x86-64-v3": "avx2"}[level] not in toolchain.processor():
        pytest.skip(f"this processor is not {level}")
    graph, shape = cnv
    expected = intgraph.IntGraph(graph)(pixels(9, shape))
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr(intgraph, "OPTIONS", [o for o in intgraph.OPTIONS if "march" not in o] + [f"-march={level}"])
    intgraph.library.cache_clear()
    try:
        assert (intgraph.IntGraph(graph)(pixels(9, shape)) == expected).all()
    finally:
        intgraph.library.cache_clear()


def test_wrong_images_and_names(cnv, pixels):
    graph, shape = cnv
    program = intgraph.IntGraph(graph)
    with pytest.raises(ValueError, match=r"shape \(2, 1, 28, 28\)"):
        program(pixels(2, (1, 28, 28)))
    with pytest.raises(ValueError, match=r"no layer 'MVAU_7'.*MVAU_sf_7"):
        program.maps(pixels(1, shape), "MVAU_7")


def test_graph_that_is_no_integer_graph(own_network):
    net, shape = own_network("tfc")
    with pytest.raises(UnsupportedError, match="streamline"):
        intgraph.IntGraph(export.export(net, shape))


def test_missing_compiler_is_named(monkeypatch):
    from signflow.hw.sim import toolchain

    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    toolchain.cxx.cache_clear()
    intgraph.library.cache_clear()
    try:
        with pytest.raises(toolchain.ToolMissingError, match=r"g\+\+"):
            intgraph.library()
    finally:
        toolchain.cxx.cache_clear()
        intgraph.library.cache_clear()

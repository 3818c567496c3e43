"""The steps for FINN's builder, one after the other between FINN's own transformations: every logit stays."""

import json
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.finn import ends, steps
from signflow.deploy.finn.builder import inside
from signflow.deploy.finn.config import StepConfig
from signflow.deploy.finn.stitch import stitch
from signflow.hw.boards import BoardError
from signflow.hw.ops.folding import FoldingError


def config(folder: Path, **fields) -> StepConfig:
    return StepConfig(**{"output_dir": str(folder), "board": "Pynq-Z1", "target_fps": 20000} | fields)


@pytest.fixture(scope="module")
def net(chain, tmp_path_factory):
    """(file of a small convolutional network, images, its logits)."""
    rng = np.random.default_rng(2)

    def signs(*shape):
        return rng.choice([-1.0, 1.0], size=shape)

    c = chain((2, 6, 6)).conv(signs(6, 2, 3, 3)).batchnorm(*rng.normal(size=(3, 6)), rng.uniform(0.5, 2, 6)).sign()
    c.pool().flatten().dense(signs(5, 24)).scalar("Sub", 0.5).sign().dense(signs(3, 5), scale=0.25).scalar("Add", 0.125)
    path = c.save(tmp_path_factory.mktemp("finn") / "net.onnx")
    images = np.concatenate([np.full((2, 2, 6, 6), [[[[0]]]]), rng.integers(0, 256, (4, 2, 6, 6))])
    images[1] = 255
    return path, images, export.reference(export.load(path, "uint8"), images)["output"]


def declared(path: Path, datatype: str = "UINT8") -> ModelWrapper:
    """The file as FINN's builder reads it, behind its pre-processing."""
    model = ModelWrapper(str(path))
    model.set_tensor_datatype(model.graph.input[0].name, DataType[datatype])
    return model


def run(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
    from finn.core.onnx_exec import execute_onnx

    names = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate(
        [execute_onnx(model, {names[0]: image[None].astype(np.float32)})[names[1]] for image in images]
    )


def partition(model: ModelWrapper, folder: Path) -> tuple[ModelWrapper, Path]:
    """(what FINN leaves to the CPU, file of what becomes hardware)."""
    from finn.transformation.fpgadataflow.create_dataflow_partition import CreateDataflowPartition

    parent = model.transform(CreateDataflowPartition(str(folder / "partition")))
    [node] = parent.get_nodes_by_op_type("StreamingDataflowPartition")
    return parent, Path(getCustomOp(node).get_nodeattr("model"))


def generate(model: ModelWrapper) -> ModelWrapper:
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP

    return model.transform(PrepareIP("xc7z020clg400-1", 10.0))


def test_every_step_keeps_every_logit(net, tmp_path):
    path, images, logits = net
    cfg = config(tmp_path)
    integer = steps.step_signflow_streamline(declared(path), cfg)
    assert (run(integer, images) == logits).all()
    hardware = steps.step_signflow_lower(integer, cfg)
    assert (run(hardware, images) == logits).all()
    parent, file = partition(hardware, tmp_path)
    kinds = [node.op_type for node in parent.graph.node]
    assert "StreamingDataflowPartition" in kinds and not any(kind.endswith("_sf") for kind in kinds)
    child = steps.step_signflow_fifos(steps.step_signflow_fold(ModelWrapper(str(file)), cfg), cfg)
    assert json.loads((tmp_path / "report" / steps.FOLDING_REPORT).read_text())["MVAU_sf_0"]["PE"] >= 1
    child.save(str(file))
    assert (run(parent, images) == logits).all()
    with inside(tmp_path / "build"):
        child = steps.step_signflow_stitch(generate(child), cfg)
        child.set_metadata_prop("exec_mode", "rtlsim")
        child.save(str(file))
        assert (run(parent, images) == logits).all(), "the RTL that FINN's PrepareIP wrote"
        images_of_weights = sorted((tmp_path / "build").rglob("*MVAU_sf_0*weights*.mem"))
        words = images_of_weights[0].read_text().split()
        words[0] = f"{int(words[0], 16) ^ 1:0{len(words[0])}x}"
        images_of_weights[0].write_text("\n".join(words))
        assert (run(parent, images) != logits).any(), "a flipped weight is seen"


def test_finns_fifos_behind_our_folding(net, tmp_path):
    """FINN's InsertFIFO takes the folded graph, and its own FIFO module is simulated."""
    from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
    from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.transformation.general import GiveUniqueNodeNames

    path, images, logits = net
    cfg = config(tmp_path)
    parent, file = partition(
        steps.step_signflow_lower(steps.step_signflow_streamline(declared(path), cfg), cfg), tmp_path
    )
    child = steps.step_signflow_fold(ModelWrapper(str(file)), cfg)
    before = len(child.graph.node)
    child = child.transform(InsertDWC())
    assert len(child.graph.node) == before, "there is nothing left to convert"
    for step in (InsertFIFO(create_shallow_fifos=True), SpecializeLayers("xc7z020clg400-1"), GiveUniqueNodeNames()):
        child = child.transform(step)
    assert child.get_nodes_by_op_type("StreamingFIFO_rtl")
    with inside(tmp_path / "build"):
        child = steps.step_signflow_stitch(generate(child), cfg)
        child.set_metadata_prop("exec_mode", "rtlsim")
        child.save(str(file))
        assert (run(parent, images) == logits).all()


@pytest.mark.parametrize("kind", ["uint8", "uint8/255", "int8", "bipolar"])
@pytest.mark.parametrize("flat", [False, True])
def test_the_ends_come_and_go(chain, tmp_path, kind, flat):
    rng = np.random.default_rng(4)
    c = chain((8,)) if flat else chain((2, 4, 4)).conv(rng.choice([-1.0, 1.0], size=(4, 2, 3, 3)))
    c = c.dense(rng.choice([-1.0, 1.0], size=(6, 8))).sign() if flat else c.sign().flatten()
    c.dense(rng.choice([-1.0, 1.0], size=(3, c.shape[1])), scale=0.25)
    model = export.load(c.save(tmp_path / "net.onnx"), kind)
    integer = streamline.streamline(model)
    before = ModelWrapper(integer.model, make_deepcopy=True)
    ends.attach(integer)
    datatype = integer.get_tensor_datatype(integer.graph.input[0].name)
    low, high = (-1, 1) if kind == "bipolar" else (int(datatype.min()), int(datatype.max()))
    images = rng.choice([low, high], size=(4, *ImageInput.of(model).shape))
    assert (run(integer, images) == export.reference(model, images)["output"]).all()
    ends.detach(integer)
    for part in ("node", "input", "output"):
        assert list(getattr(integer.graph, part)) == list(getattr(before.graph, part))


def test_an_input_without_a_type_is_refused(net, tmp_path):
    with pytest.raises(ModelFileError, match=r"'x' is FLOAT32.*set_tensor_datatype.*UINT8"):
        steps.step_signflow_streamline(ModelWrapper(str(net[0])), config(tmp_path))
    with pytest.raises(ModelFileError, match="run this step before"):
        steps.step_signflow_lower(declared(net[0]), config(tmp_path))


def test_a_declared_export_keeps_its_declaration(net, tmp_path):
    model = export.load(net[0], "uint8/255")
    integer = steps.step_signflow_streamline(model, config(tmp_path))
    assert (run(integer, net[1]) == export.reference(model, net[1])["output"]).all()


def test_boards_are_found_by_their_part(tmp_path):
    board = steps.board_of(config(tmp_path, fpga_part="xczu3eg-sbva484-1-e", synth_clk_period_ns=5.0))
    assert (board.name, board.clock_mhz) == ("ultra96-v2", 200.0)
    with pytest.raises(BoardError, match=r"xcu250.*pynq-z1 \(xc7z020clg400-1\)"):
        steps.board_of(config(tmp_path, fpga_part="xcu250-figd2104-2L-e"))


def test_a_folding_file_of_finns_form(net, tmp_path):
    cfg = config(tmp_path)
    hardware = steps.step_signflow_lower(steps.step_signflow_streamline(declared(net[0]), cfg), cfg)
    _, file = partition(hardware, tmp_path)
    given = tmp_path / "folding.json"
    given.write_text(json.dumps({"Defaults": {}, "MVAU_sf_0": {"PE": 3, "SIMD": 9}}))
    cfg = config(tmp_path, folding_config_file=str(given))
    child = steps.step_signflow_fold(ModelWrapper(str(file)), cfg)
    op = next(getCustomOp(node) for node in child.graph.node if node.op_type == "MVAU_sf")
    assert (op.get_nodeattr("PE"), op.get_nodeattr("SIMD")) == (3, 9)
    given.write_text(json.dumps({"MVAU_sf_9": {"PE": 1}}))
    with pytest.raises(FoldingError, match="MVAU_sf_9"):
        steps.step_signflow_fold(ModelWrapper(str(file)), cfg)


def test_flags_and_finns_fifos_are_refused(net, tmp_path, monkeypatch):
    from signflow.hw.ops.mvau import MVAU_sf

    cfg = config(tmp_path)
    hardware = steps.step_signflow_lower(steps.step_signflow_streamline(declared(net[0]), cfg), cfg)
    _, file = partition(hardware, tmp_path)
    child = steps.step_signflow_fold(ModelWrapper(str(file)), cfg)
    monkeypatch.setattr(MVAU_sf, "out_group", lambda *_: 2)
    steps._check_fifos(child, config(tmp_path, steps=["a.b.step_signflow_fifos"]))
    with pytest.raises(FoldingError, match=r"behind MVAU_sf_0 bits have flags.*step_generate_hardware"):
        steps._check_fifos(child, config(tmp_path, steps=["step_generate_hardware"]))


def test_what_is_not_rtl_is_not_stitched(net, tmp_path):
    cfg = config(tmp_path)
    integer = steps.step_signflow_streamline(declared(net[0]), cfg)
    with pytest.raises(UnsupportedError, match="it has no RTL"):
        stitch(integer, tmp_path / "stitched")


@pytest.mark.slow
def test_a_residual_network_with_flags(tmp_path):
    """Streams that fork and join, codes of 5 bits, zeros around signs: the RTL that FINN's PrepareIP writes gives what
    the integer graph does, and FINN's FIFOs are refused.
    """
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            sign = qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
            conv = qnn.QuantConv2d(8, 8, 3, padding=1, bias=False, weight_quant=SignedBinaryWeightPerTensorConst)
            self.branch, self.steps = nn.Sequential(sign, conv, nn.BatchNorm2d(8)), qnn.QuantIdentity(bit_width=5)

        def forward(self, x):
            return self.steps(self.branch(x)) + self.steps(x)

    torch.manual_seed(0)
    stem = qnn.QuantConv2d(1, 8, 3, stride=2, padding=1, bias=False, weight_bit_width=8)
    middle = [nn.BatchNorm2d(8), qnn.QuantIdentity(bit_width=5), Block(), Block(), nn.BatchNorm2d(8)]
    last = qnn.QuantLinear(72, 10, bias=True, weight_bit_width=8)
    module = nn.Sequential(stem, *middle, qnn.QuantIdentity(bit_width=8), nn.AvgPool2d(2), nn.Flatten(), last)
    for _ in range(4):
        module(torch.randint(0, 256, (32, 1, 12, 12)).float())
    cfg, images = config(tmp_path), np.random.default_rng(0).integers(0, 256, (3, 1, 12, 12))
    integer = steps.step_signflow_streamline(export.export(module.eval(), (1, 12, 12)), cfg)
    parent, file = partition(steps.step_signflow_lower(integer, cfg), tmp_path)
    with pytest.raises(FoldingError, match="bits have flags"):
        steps.step_signflow_fold(ModelWrapper(str(file)), config(tmp_path, steps=["step_set_fifo_depths"]))
    child = steps.step_signflow_fifos(steps.step_signflow_fold(ModelWrapper(str(file)), cfg), cfg)
    with inside(tmp_path / "build"):
        child = steps.step_signflow_stitch(generate(child), cfg)
        child.set_metadata_prop("exec_mode", "rtlsim")
        child.save(str(file))
        assert (run(parent, images) == run(integer, images)).all()

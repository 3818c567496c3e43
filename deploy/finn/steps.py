"""Build steps for FINN's builder, ``(model, cfg) -> model``, named by their dotted path in a build configuration:

    steps:
      - signflow.deploy.finn.steps.step_signflow_streamline
      - signflow.deploy.finn.steps.step_signflow_lower
      - step_create_dataflow_partition
      - signflow.deploy.finn.steps.step_signflow_fold
      - signflow.deploy.finn.steps.step_signflow_fifos
      - step_generate_estimate_reports
      - step_hw_codegen
      - step_hw_ipgen
      - signflow.deploy.finn.steps.step_signflow_stitch

Those without a prefix are FINN's own. From ``cfg`` (`DataflowBuildConfig`) they read the board or part, the clock,
``target_fps`` and ``folding_config_file``. Each can be used alone: the integer graph of the first consists of the
operators that FINN's own conversion to hardware takes.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import engine, export, lower, streamline
from signflow.deploy.compile.errors import ModelFileError
from signflow.deploy.compile.images import KINDS, ImageInput
from signflow.deploy.compile.names import name_nodes, name_tensors, sort_nodes
from signflow.deploy.finn import shell, stitch
from signflow.deploy.finn.ends import attach, detach
from signflow.deploy.plan import buffer, fit, fold, graph
from signflow.deploy.verify.rungs import LadderError
from signflow.hw import boards
from signflow.hw.ops.folding import FoldingError
from signflow.hw.scratch import Scratch

if TYPE_CHECKING:
    from finn.builder.build_dataflow_config import DataflowBuildConfig

FOLDING_REPORT = "signflow_folding.json"
FINNS_FIFOS = {"step_set_fifo_depths", "step_generate_hardware"}
"""Steps of FINN that insert FIFOs."""


def step_signflow_streamline(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """In the place of FINN's `step_qonnx_to_finn`, `step_tidy_up` and `step_streamline`: every threshold is found by
    running the network's own nodes on every integer that can occur, so nothing is rounded.

        model = step_signflow_streamline(ModelWrapper("net.onnx"), cfg)  # MultiThreshold, XnorPopcountMatMul, Im2Col..

    The network's input says by its data type how images reach it, as FINN's pre-processing notes it:
    ``model.set_tensor_datatype(model.graph.input[0].name, DataType["UINT8"])`` (or INT8, BIPOLAR); a file of
    `signflow.deploy.compile.export` has that already, and a division by 255 as well. What the network does behind its
    last layer stays behind it, as nodes for the CPU. Raises ModelFileError for an input without such a type,
    UnsupportedError for what has no exact hardware.
    """
    integer = streamline.streamline(_declared(model))
    attach(integer)
    return _verified(integer, cfg, "streamlined_python")


def step_signflow_lower(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """In the place of FINN's `step_convert_to_hw`, `step_minimize_bit_width_initial` and `step_specialize_layers`: the
    integer graph of `step_signflow_streamline` in signflow's RTL operators.

        model = step_signflow_lower(model, cfg)  # MVAU_sf, Thresholding_sf, ConvolutionInputGenerator_sf ..

    They stand in FINN's domain for RTL backends, so that its partitioning, estimates and code generation take them for
    its own. Raises ModelFileError behind another step, UnsupportedError for an operator without hardware.
    """
    model = ModelWrapper(model.model, make_deepcopy=True)
    detach(model)
    hardware = lower.lower(model)
    attach(hardware)
    return hardware


def step_signflow_fold(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """In the place of FINN's `step_target_fps_parallelization`, `step_apply_folding_config` and
    `step_minimize_bit_width`, behind `step_create_dataflow_partition`: PE and SIMD of every operator, and converters
    between unequal words.

        model = step_signflow_fold(model, cfg)

    ``cfg.folding_config_file`` gives the folding (node -> attribute -> value), else ``cfg.target_fps`` images a second
    with the least hardware, else the fastest that fits the board. The folding goes to ``report/signflow_folding.json``.
    Raises FoldingError where it is illegal, too slow or does not fit, or where FINN's FIFOs would follow that it does
    not go with; BoardError for a board that signflow does not know.
    """
    model = _known(model)
    target = board_of(cfg)
    if cfg.folding_config_file:
        table = fold.read_folding(Path(cfg.folding_config_file))
        table.pop("Defaults", None)
        fit.for_clock(model, target)
        fold.apply_folding(model, table)
        fit.check_fits(model, target, fit.ALL)
    elif cfg.target_fps:
        fit.fold_to_fps(model, target, cfg.target_fps)
    else:
        fit.fold_to_board(model, target)
    report = cfg.get_report_directory() / FOLDING_REPORT
    report.write_text(json.dumps(fold.folding_of(model), indent=2) + "\n")
    buffer.insert_width_converters(model)
    _check_fifos(model, cfg)
    return _sorted(model)


def step_signflow_fifos(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """In the place of FINN's `step_set_fifo_depths`, behind `step_signflow_fold`: a FIFO wherever one is needed, of a
    depth that a schedule of all words proves to suffice (`signflow.deploy.plan.buffer`); nothing is simulated for it.

        model = step_signflow_fifos(model, cfg)

    FINN's own step takes the folded graph as well, unless bits have flags.
    """
    model = _known(model)
    buffer.insert_fifos(model)
    return _sorted(model)


def step_signflow_stitch(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """In the place of FINN's `step_create_stitched_ip` where Vivado is missing: one Verilog top of the HDL that
    `step_hw_codegen` wrote, in ``stitched_ip/``, simulated where ``cfg.verify_steps`` asks for it.

        model = step_signflow_stitch(model, cfg)

    With ``VerificationStepType.STITCHED_IP_RTLSIM`` FINN's own verification follows: the images of
    ``cfg.verify_input_npy`` through the parent graph, the stitched RTL in the place of the partition, against
    ``cfg.verify_expected_output_npy``. Raises UnsupportedError for a node without RTL.
    """
    model = _known(model)
    stitch.stitch(model, (Path(cfg.output_dir) / "stitched_ip").resolve())
    return _verified(model, cfg, "stitched_ip_rtlsim")


def board_of(cfg: "DataflowBuildConfig") -> boards.Board:
    """The board of `hw/boards.toml` with the part of ``cfg``, at its clock. Raises BoardError."""
    part, known = cfg._resolve_fpga_part(), boards.boards().values()
    found = [board for board in known if board.part.lower().rsplit("-", 1)[0] == part.lower().rsplit("-", 1)[0]]
    if not found:
        parts = ", ".join(f"{board.name} ({board.part})" for board in known)
        raise boards.BoardError(f"part {part} is of no board that signflow knows: {parts}")
    return replace(found[0], clock_mhz=1000 / cfg.synth_clk_period_ns)


def _known(model: ModelWrapper) -> ModelWrapper:
    """``model``, of which qonnx knows the operators, also where FINN's builder starts with this step."""
    from signflow.hw import ops

    engine.boot()
    ops.register()
    return model


def _declared(model: ModelWrapper) -> ModelWrapper:
    """``model`` as `signflow.deploy.compile.export.load` gives it."""
    engine.boot()
    if ImageInput.stored(model):
        return model
    name = model.graph.input[0].name
    found = model.get_tensor_datatype(name).name
    kinds = {kind.datatype: name for name, kind in KINDS.items() if kind.divisor is None}
    if found not in kinds:
        raise ModelFileError(
            f"input {name!r} is {found}: say what its images are, model.set_tensor_datatype({name!r}, DataType[...]) "
            f"with one of {', '.join(kinds)}"
        )
    with Scratch("signflow-finn-") as folder:
        path = Path(folder) / "network.onnx"
        model.save(str(path))
        return export.load(path, kinds[found])


def _verified(model: ModelWrapper, cfg: "DataflowBuildConfig", name: str) -> ModelWrapper:
    """``model``, behind FINN's own verification where ``cfg`` asks for this one. Raises LadderError where it fails,
    which FINN only logs.
    """
    if name not in (getattr(step, "value", step) for step in cfg._resolve_verification_steps()):
        return model
    from finn.builder.build_dataflow_steps import verify_step

    hardware, verified = name == "stitched_ip_rtlsim", ModelWrapper(model.model, make_deepcopy=True)
    if hardware:
        verified.set_metadata_prop("exec_mode", "rtlsim")
        verified.set_metadata_prop("rtlsim_liveness_estimate", str(_patience(model)))
    cfg.get_verification_output_directory().mkdir(parents=True, exist_ok=True)
    verify_step(verified, cfg, name, need_parent=hardware)
    if failed := sorted(cfg.get_verification_output_directory().glob(f"verify_{name}_*_FAIL*")):
        raise LadderError(f"{name}: {len(failed)} images differ from {cfg.verify_expected_output_npy}: {failed[0]}")
    return model


def _patience(model: ModelWrapper) -> int:
    """Cycles after which a stitched graph that has given nothing for so long hangs: twice those of all nodes, one after
    the other.
    """
    return 2 * sum(int(getCustomOp(node).get_exp_cycles()) for node in model.graph.node) + 1000


def _sorted(model: ModelWrapper) -> ModelWrapper:
    """``model`` with nodes in order and names by position."""
    sort_nodes(model.graph)
    name_nodes(model.graph)
    name_tensors(model.graph)
    return model


def _check_fifos(model: ModelWrapper, cfg: "DataflowBuildConfig") -> None:
    """FINN's FIFOs are as wide as the bits of a word, without the flags of bits that may be the number 0."""
    names = {getattr(step, "__name__", str(step).rsplit(".", 1)[-1]) for step in cfg.steps or ()}
    flags = [op.onnx_node.name for op, out, *_ in graph.edges(model) if op.out_group(out)]
    if flags and FINNS_FIFOS & names:
        raise FoldingError(
            f"behind {flags[0]} bits have flags, which the FIFOs of {', '.join(sorted(FINNS_FIFOS & names))} do not "
            "carry: take step_signflow_fifos, step_hw_codegen and step_hw_ipgen in its place"
        )


def step_signflow_driver(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """FINN's `step_make_driver` where Vivado is missing: that step needs the DMAs that `step_synthesize_bitfile` puts
    around the graph before it calls Vivado. They are put around a copy, and the settings of FINN's driver go to
    ``driver/settings.json``.

        model = step_signflow_driver(model, cfg)  # with DataflowOutputType.PYNQ_DRIVER among cfg.generate_outputs

    Raises UnsupportedError for Alveo cards.
    """
    from finn.builder.build_dataflow_steps import step_make_driver

    step_make_driver(shell.with_dmas(_known(model), cfg), cfg)
    return model

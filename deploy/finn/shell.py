"""The DMAs of FINN's Zynq shell around a graph: what FINN's `ZynqBuild` does in Python before it calls Vivado."""

from typing import TYPE_CHECKING

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import UnsupportedError

if TYPE_CHECKING:
    from finn.builder.build_dataflow_config import DataflowBuildConfig


def with_dmas(model: ModelWrapper, cfg: "DataflowBuildConfig") -> ModelWrapper:
    """A copy of ``model`` cut into partitions, a DMA at each end, named as FINN's shell names them. Raises
    UnsupportedError for another shell than Zynq's.
    """
    from finn.builder.build_dataflow_config import ShellFlowType
    from finn.transformation.fpgadataflow.create_dataflow_partition import CreateDataflowPartition
    from finn.transformation.fpgadataflow.floorplan import Floorplan
    from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
    from finn.transformation.fpgadataflow.insert_iodma import InsertIODMA
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from finn.util.basic import pynq_native_port_width
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames

    if cfg.shell_flow_type not in (None, ShellFlowType.VIVADO_ZYNQ) or cfg.board not in pynq_native_port_width:
        known = ", ".join(pynq_native_port_width)
        raise UnsupportedError("board", str(cfg.board), "its shell is not FINN's for Zynq", known)
    folder = str(cfg.get_intermediate_models_directory() / "driver_partitions")
    model = ModelWrapper(model.model, make_deepcopy=True)
    for step in (
        InsertIODMA(pynq_native_port_width[cfg.board]),
        InsertDWC(),
        SpecializeLayers(cfg._resolve_fpga_part()),
        Floorplan(),
        CreateDataflowPartition(partition_model_dir=folder),
    ):
        model = model.transform(step).transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    ends = {"idma0": model.graph.input[0].name, "odma0": model.graph.output[0].name}
    getCustomOp(model.find_consumer(ends["idma0"])).set_nodeattr("instance_name", "idma0")
    getCustomOp(model.find_producer(ends["odma0"])).set_nodeattr("instance_name", "odma0")
    return model

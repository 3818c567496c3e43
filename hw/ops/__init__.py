"""The operators, one file each, and their registration with FINN.

They live in FINN's own RTL domain under the name ``<FINN operator>_sf``, so that FINN's passes treat them as its own.
Import this package after
`signflow.deploy.compile.engine.boot`.
"""


def register() -> None:
    """Make all operators known to qonnx and FINN. Idempotent."""
    from qonnx.custom_op.registry import add_op_to_domain

    from signflow.hw.ops.accpool import AccPool_sf
    from signflow.hw.ops.add import Add_sf
    from signflow.hw.ops.argmax import LabelSelect_sf
    from signflow.hw.ops.base import RTL_DOMAIN
    from signflow.hw.ops.duplicate import Duplicate_sf
    from signflow.hw.ops.dwc import StreamingDataWidthConverter_sf
    from signflow.hw.ops.fifo import StreamingFIFO_sf
    from signflow.hw.ops.maxpool import MaxPool_sf
    from signflow.hw.ops.mvau import MVAU_sf
    from signflow.hw.ops.replicate import Replicate_sf
    from signflow.hw.ops.swg import ConvolutionInputGenerator_sf
    from signflow.hw.ops.thresholding import Thresholding_sf

    for op in (
        MVAU_sf,
        ConvolutionInputGenerator_sf,
        MaxPool_sf,
        Thresholding_sf,
        Duplicate_sf,
        Replicate_sf,
        Add_sf,
        AccPool_sf,
        LabelSelect_sf,
        StreamingFIFO_sf,
        StreamingDataWidthConverter_sf,
    ):
        add_op_to_domain(RTL_DOMAIN, op)

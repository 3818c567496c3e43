"""Thresholds that a line takes the place of: code = clip((x * M + B) >> S), a product instead of a search.

The integer graph keeps the thresholds, and so does the hardware graph: beside them `Thresholding_sf` gets the line that
gives the same codes of every integer that can occur (`signflow.deploy.compile.passes.lines`), and the folding chooses
between a DSP block and the comparators of a search (`Thresholding_sf.foldings`). Looked at are codes of 3 to 5 bits,
with thresholds of their own for the channels: fewer cost no more than a product, more are lines in the integer graph
(`signflow.deploy.compile.passes.choice`).
"""

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect.base import Range
from signflow.deploy.compile.passes.lines import LineRule, line_rule
from signflow.deploy.compile.passes.transitions import Accumulators, Steps
from signflow.deploy.compile.reach import reaches

FEWEST, MOST = 7, 31
"""Thresholds of a channel."""
MOST_CODES = 1 << 24
"""Of all channels together: what is tried in a second."""


def add_lines(model: ModelWrapper, integer: ModelWrapper) -> None:
    """Give the thresholds of a hardware graph their lines; ``integer``: the graph it was made of, which tells the
    ranges of the tensors that they read.
    """
    ops = [getCustomOp(node) for node in model.graph.node if node.op_type == "Thresholding_sf"]
    many = [(op, *op.constants(model)) for op in ops if not op.get_nodeattr("window")]
    many = [(op, rows, back) for op, rows, back in many if len(rows) > 1 and FEWEST <= rows.shape[1] <= MOST]
    ranges = reaches(integer) if many else {}
    for op, rows, turned in many:
        reach = ranges[op.onnx_node.input[0]]
        line = _line(rows, turned, op.get_nodeattr("ActVal"), reach, op.get_input_datatype())
        if line is not None:
            op.set_line(line.factor, line.offset, line.shift, line.low, line.high)


def _line(rows: np.ndarray, turned: np.ndarray, lowest: int, reach: Range, kind: DataType) -> LineRule | None:
    """Of thresholds (channels, N), ascending, of -x where ``turned`` (channels,)."""
    low, high = int(reach[0].min()), int(reach[1].max())
    if (high - low + 1) * len(rows) > MOST_CODES:
        return None
    x = np.arange(low, high + 1)
    counts = [np.searchsorted(row, -x if back else x, side="right") for row, back in zip(rows, turned, strict=True)]
    ends = np.full(len(rows), low), np.full(len(rows), high)
    codes = Steps.of(Accumulators(*ends, 1), lowest + np.stack(counts, axis=1).astype(np.int64))
    return line_rule(codes, (int(kind.min()), int(kind.max())))

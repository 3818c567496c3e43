"""Which operators give the codes of a quantiser, for whatever the network makes of the integers x of a tensor.

    thresholds  code = lowest + number of thresholds <= x      codes that rise or fall with x, over 255 levels at most,
                                                               or 1,020 where nothing else is left, counted in parts
    intervals   code = table[number of thresholds <= x]        any that change at most 255 times in a channel
    table       code = table[x]                                any, where a table can list all x
    line        code = clip((x * M + B) >> S, low, high)       those that `lines` finds

All are exact. Up to 31 thresholds a channel (5 bits), and up to 255 that all channels share, are taken as they are:
small, whatever the function is, and without a DSP block. Beyond that it is the cheapest, by the estimates of the
operators themselves: LUTs, and block RAMs and DSP blocks as LUTs. They are asked for one lane, because all of them grow
alike with the lanes. With 64 channels of 1,152 inputs, thresholds of 8 bits cost 1,526, a line 272; with 512 channels
9,758 and 319.
"""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect.base import integer_type
from signflow.deploy.compile.dialect.hardware import RTL_DOMAIN
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.passes.lines import LineRule, line_rule
from signflow.deploy.compile.passes.transitions import Steps, code_rule, table_rule

FEW = 31
MAX_STEPS, MAX_BITS = 255, 16
"""What thresholds can count, and what can address a table."""
MAX_PARTS = 4
"""Operators that share the thresholds of a quantiser."""
MAX_TABLE = 2**20
"""Entries: more than the block RAMs of a small board hold."""
LUT_PER_BRAM18 = DSP_AS_LUT = 100
"""Block RAMs count as for the operators, DSP blocks alike: a board has about as many (280 and 220 on the XC7Z020)."""
THRESHOLDS, INTERVALS, TABLE, LINE = "thresholds", "intervals", "table", "line"


def few(codes: Steps) -> bool:
    """``codes`` (values int64) are to become thresholds without further ado."""
    low, high = codes.ends
    return not (codes.slope == 2).any() and high - low <= (MAX_STEPS if len(codes.first) == 1 else FEW)


def coded(graph: IntegerGraph, node: NodeProto, x: Tensor, codes: Steps) -> Tensor:
    """The tensor of ``codes`` (values int64) of the integers of ``x``, in the cheapest way; one row of codes stands for
    all channels. Raises UnsupportedError in the name of ``node`` where there is none.
    """
    found = forms(node, codes, x)
    made = _made(graph, x, codes, found[0][1])
    graph.costs[made.name] = {LINE if isinstance(form, LineRule) else form: cost for cost, form in found}
    return made


def _made(graph: IntegerGraph, x: Tensor, codes: Steps, form: str | LineRule) -> Tensor:
    if isinstance(form, LineRule):
        return graph.requantise(x, form.factor, form.offset, form.shift, form.low, form.high)
    if form == TABLE:
        return graph.lookup(x, listed(codes, x), x.least)
    if form == INTERVALS:
        rule = table_rule(codes)
        return graph.lookup(graph.threshold(x, rule.steps), rule.table, 0)
    rule = code_rule(codes, np.zeros(len(codes.first), dtype=np.int8), False)
    signs = np.broadcast_to(rule.signs, (x.channels,))
    first, *rest = np.array_split(rule.steps, _parts(rule.steps.shape[1]), axis=1)
    made = graph.threshold(graph.signed(x, signs), first, rule.lowest)
    for steps in rest:  # each takes its signs along into hardware
        made = graph.add(made, graph.threshold(graph.signed(x, signs), steps))
    return made


def _parts(steps: int) -> int:
    """How many operators count so many thresholds."""
    return max(1, -(-steps // MAX_STEPS))


def forms(node: NodeProto, codes: Steps, x: Tensor) -> list[tuple[float, str | LineRule]]:
    """(LUTs of one lane, form) of all that give ``codes`` of ``x``, the cheapest first: THRESHOLDS, INTERVALS, TABLE or
    a line. Arguments and errors as of `coded`.
    """
    (low, high), changes, rows = codes.ends, max(1, int(codes.counts.max(initial=0))), len(codes.first)
    kind, rises = DataType[x.datatype], not (codes.slope == 2).any()
    vector = {"NumChannels": x.channels, "PE": 1, "numInputVectors": [1], "shared": int(rows == 1)}
    reads, gives = {"inputDataType": x.datatype}, {"outputDataType": integer_type(low, high)}
    search = vector | reads | {"weightDataType": "INT32"}
    found: list[tuple[float, str | LineRule]] = []
    if rises and high - low <= MAX_STEPS:
        steps = {"numSteps": max(1, high - low), "ActVal": low}
        found.append((_cost("Thresholding", search | steps | gives), THRESHOLDS))
    if changes <= MAX_STEPS:
        steps, index = {"numSteps": changes, "ActVal": 0}, integer_type(0, changes)
        both = _cost("Thresholding", search | steps | {"outputDataType": index})
        both += _cost("Lookup", vector | gives | {"inputDataType": index})
        found.append((both, INTERVALS))
    if kind.bitwidth() <= MAX_BITS and rows << kind.bitwidth() <= MAX_TABLE:
        found.append((_cost("Lookup", vector | reads | gives), TABLE))
    if rises and (line := line_rule(codes, (int(kind.min()), int(kind.max())))) is not None:
        found.append((_cost("Requantise", vector | reads | gives | _constants(line)), line))
    if not found and rises and (parts := _parts(high - low)) <= MAX_PARTS:
        steps = {"numSteps": -(-(high - low) // parts), "ActVal": low}
        found.append((parts * _cost("Thresholding", search | steps | gives), THRESHOLDS))
    if not found:
        reason = f"its codes change up to {changes} times in a channel, over integers of {kind.bitwidth()} bits"
        supported = (
            f"quantisers of at most {MAX_STEPS} changes ({MAX_PARTS * MAX_STEPS} where codes only rise or only fall), "
            "functions that are a line between the lowest and the highest code, or any function of at most "
            f"{MAX_BITS} bits, if the table of all channels has at most {MAX_TABLE} entries"
        )
        raise refuse(node, reason, supported)
    return sorted(found, key=lambda form: form[0])


def listed(codes: Steps, x: Tensor) -> np.ndarray:
    """Table int64 (rows, integers) of every integer of the type of ``x``; where a channel does not reach it, the code
    of a neighbour.
    """
    kind = DataType[x.datatype]
    integers = np.arange(int(kind.min()), int(kind.max()) + 1)
    rows = []
    for channel, first in enumerate(codes.first):
        above, _, later = codes.at(channel)
        rows.append(np.append(first, later)[np.searchsorted(above, integers, side="right")])
    return np.stack(rows)


def _constants(line: LineRule) -> dict:
    kinds = (integer_type(int(values.min()), int(values.max())) for values in (line.factor, line.offset))
    types = dict(zip(("factorDataType", "offsetDataType"), kinds, strict=True))
    return types | {"shift": line.shift, "low": line.low, "high": line.high}


def _cost(operator: str, attributes: dict) -> float:
    """In LUTs."""
    from signflow.hw import ops  # stands on FINN's classes, which only a booted engine has

    ops.register()
    op = getCustomOp(helper.make_node(f"{operator}_sf", ["x"], ["y"], "cost", domain=RTL_DOMAIN, **attributes))
    return op.lut_estimation() + LUT_PER_BRAM18 * op.bram_estimation() + DSP_AS_LUT * op.dsp_estimation("")

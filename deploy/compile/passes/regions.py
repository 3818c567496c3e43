"""The shape of a supported network: where integers come from, and what happens to one number at a time in between.

`walk` cuts the graph into regions. A region starts at integers: the pixels of the image, the accumulators of a product
(Conv, MatMul), sums over the positions of a map (ReduceSum) or of a window (SumPool), the sums of two regions' results
(Add), or results that only move (Pad, Slice, Concat, FlattenNHWC). It holds the scalar operators that follow, in any
arrangement: forks and joins inside a region, such as x * sigmoid(x), are nothing special, because every number in it is
a function of the one integer that it starts at. It ends at its exits: the tensors that the next products, sums, joins
and moves read, or the output of the network.

Where a quantiser's result is read both by such a node and by scalar operators, as a residual stream is by its addition
and by its sign, another region starts at its codes: what follows is a function of those few integers.
"""

from dataclasses import dataclass, field

from onnx import NodeProto, TensorProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import get_by_name

from signflow.deploy.compile.errors import UnsupportedError, refuse

PRODUCTS = ("Conv", "MatMul")
SUMS = ("ReduceSum", "SumPool")
MOVES = ("Pad", "Slice", "Concat", "FlattenNHWC")
QUANTISERS = ("BipolarQuant", "Quant", "Trunc")
POOLS = ("MaxPool",)
SHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
SELECTORS = ("ArgMax", "TopK")
SCALARS = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Neg", "Abs", "Exp", "Identity", "Dropout", "Cast"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Tanh", "Sigmoid", "HardSigmoid", "Elu", "Selu", "Softplus", "Min", "Max"),
    *("Celu", "Gelu", "HardSwish", "Mish", "Softsign", "ThresholdedRelu", "Erf", "Pow", "Sqrt", "Log", "Reciprocal"),
)
"""Operators that act on every number alone, with constants per channel: enumeration runs them as they are, whatever
they compute.
"""

SUPPORTED = (
    "dense and convolution layers (Conv, MatMul, Gemm), scalar operators per channel (BatchNormalization, Mul, Add, "
    "Sub, Div, Neg, activations), BipolarQuant, Quant, Trunc, max and average pools, Flatten, Add and Concat of two "
    "results, Pad, Slice with steps, ReduceSum over all positions, ArgMax"
)


@dataclass
class Region:
    """Everything that is a function of the integers in ``start``."""

    kind: str
    """"image", "product", "sum", "join" (Add), "move" (`MOVES`) or "codes"."""
    node: NodeProto | None
    """What makes the integers: one of these operators, or the quantiser of the codes; None for the image."""
    start: str
    """Tensor of the integers (times a scale)."""
    nodes: list[NodeProto] = field(default_factory=list)
    """Scalar operators, pools and reshapes, in the order of the graph."""
    exits: dict[str, list[NodeProto]] = field(default_factory=dict)
    """Tensor -> the nodes of other regions that read it; none for the network's output."""
    selector: NodeProto | None = None
    """ArgMax or TopK that ends the graph, if any."""

    def path(self, tensor: str) -> list[NodeProto]:
        """The nodes of the region that ``tensor`` depends on, in order."""
        wanted, found = {tensor}, []
        for node in reversed(self.nodes):
            if node.output[0] in wanted:
                wanted |= set(node.input)
                found.append(node)
        return found[::-1]


def attribute(node: NodeProto, name: str, default):
    """The value of an attribute (int, float, list of ints or string), or ``default``."""
    found = get_by_name(node.attribute, name)
    if found is None:
        return default
    if isinstance(default, str):
        return found.s.decode()
    if isinstance(default, float):
        return found.f
    return list(found.ints) if isinstance(default, list) else found.i


def data_inputs(model: ModelWrapper, node: NodeProto) -> list[str]:
    """The inputs that depend on the image, each once."""
    return list(dict.fromkeys(name for name in node.input if name and model.get_initializer(name) is None))


def _check_cast(node: NodeProto) -> None:
    """Anything narrower than float32 would round, and change what the nodes behind it compute."""
    if node.op_type == "Cast" and attribute(node, "to", 0) not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        kind = TensorProto.DataType.Name(attribute(node, "to", 0))
        raise refuse(node, f"it casts to {kind}", "float32, or double precision in between")


def _check_product(model: ModelWrapper, node: NodeProto) -> None:
    weight = model.get_initializer(node.input[1])
    if weight is None:
        raise refuse(node, "its weights are not constant", "weights stored in the model")
    if node.op_type == "Conv":
        return
    if weight.ndim != 2:
        raise refuse(node, f"its weight has shape {weight.shape}", "MatMul with a weight of shape (inputs, outputs)")
    if len(shape := model.get_tensor_shape(node.input[0])) != 2:
        reason = f"it multiplies the last axis of a tensor of shape {list(shape)}"
        raise refuse(node, reason, "dense layers that read [1, features]: flatten in front of them")


def walk(model: ModelWrapper) -> list[Region]:
    """The regions of the network in order; raises UnsupportedError for what has none. Expects the network in
    normal form (`signflow.deploy.compile.passes.normal_form`).
    """
    return _Walk(model).regions


class _Walk:
    def __init__(self, model: ModelWrapper):
        self.model, start = model, model.graph.input[0].name
        self.readers = readers_of(model)
        self.roots = _roots(model)
        self.regions = [Region("image", None, start)]
        self.owner = {start: self.regions[0]}
        self.makers: dict[str, Region] = {}
        """Of tensors from which another region starts again: the region that ends there."""
        for node in model.graph.node:
            if data := data_inputs(model, node):
                self._check(node, data)
                self._visit(node, data)
        self._finish()

    def _check(self, node: NodeProto, data: list[str]) -> None:
        """What holds of every node: its tensors are known, and of one image."""
        for name in data:
            if name not in self.owner:
                raise refuse(node, f"its input {name!r} is an output that is not supported", SUPPORTED)
        for name in node.output:
            shape = self.model.get_tensor_shape(name)
            if node.op_type in (*SCALARS, *SHAPES, *QUANTISERS, *POOLS) and (not shape or shape[0] != 1):
                raise refuse(node, f"its result has shape {shape and list(shape)}", "a batch of 1 throughout")
        _check_cast(node)

    def _visit(self, node: NodeProto, data: list[str]) -> None:
        owners = list({id(self.owner[name]): self.owner[name] for name in data}.values())
        if finished := next((region for region in owners if region.selector is not None), None):
            raise refuse(node, f"it follows {finished.selector.op_type}", "ArgMax or TopK as the last operator")
        known = (*PRODUCTS, *SUMS, *MOVES, *SCALARS, *QUANTISERS, *POOLS, *SHAPES, *SELECTORS)
        if node.op_type not in known:
            raise refuse(node, "it is not known", SUPPORTED)
        if node.op_type not in (*SCALARS, "Concat") and (len(data) > 1 or node.input[0] != data[0]):
            rule = "the data is not its first and only input that depends on the image"
            raise refuse(node, rule, f"{node.op_type}(data, constants)")
        if node.op_type in PRODUCTS:
            _check_product(self.model, node)
            self._cut("product", node, data)
        elif node.op_type in SUMS:
            self._cut("sum", node, data)
        elif node.op_type in MOVES:
            self._cut("move", node, data)
        elif _is_join(self.roots, node, data):
            if node.op_type != "Add" or len(data) != 2 or len(node.input) != 2:
                rule = f"it combines results of {len(owners)} layers ({', '.join(data)})"
                raise refuse(node, rule, "Add of two results")
            self._cut("join", node, data)
        elif node.op_type in SELECTORS:
            owners[0].selector = node
            self._exit(data[0], None)
            self.owner[_only_output(self.model, node)] = owners[0]
        else:
            region = self._restart(node, data)
            region.nodes.append(node)
            self.owner[_only_output(self.model, node)] = region

    def _restart(self, node: NodeProto, data: list[str]) -> Region:
        """The region that a scalar node belongs to: a new one where it forks from the codes of a quantiser."""
        (tensor, *others), region = data, self.owner[data[0]]
        maker = _quantiser(region, tensor)
        forks = maker is not None and maker.op_type in ("Quant", "Trunc") and node.op_type not in SHAPES
        if forks and not others and any(self._cuts(reader) for reader in self.readers[tensor]):
            self._exit(tensor, node)
            self.makers[tensor] = region
            region = Region("codes", maker, tensor)
            self.regions.append(region)
            self.owner[tensor] = region
        if any(self.owner[name] is not region for name in others):
            rule = f"it combines {tensor!r} with {others[0]!r}, which is computed in front of its quantiser"
            raise refuse(node, rule, "functions of the quantised number alone")
        return region

    def _cuts(self, node: NodeProto) -> bool:
        """Another region starts at it."""
        return node.op_type in (*PRODUCTS, *SUMS, *MOVES) or _is_join(self.roots, node, data_inputs(self.model, node))

    def _exit(self, tensor: str, reader: NodeProto | None) -> None:
        readers = self.makers.get(tensor, self.owner[tensor]).exits.setdefault(tensor, [])
        if reader is not None:
            readers.append(reader)

    def _cut(self, kind: str, node: NodeProto, data: list[str]) -> None:
        for tensor in data:
            self._exit(tensor, node)
        self.regions.append(Region(kind, node, node.output[0]))
        self.owner[node.output[0]] = self.regions[-1]

    def _finish(self) -> None:
        output = self.model.graph.output[0].name
        if not any(region.kind == "product" for region in self.regions):
            reason = "the network has no dense or convolution layer"
            if not self.model.graph.node:
                raise UnsupportedError(output, "Identity", reason, SUPPORTED)
            raise refuse(self.model.graph.node[-1], reason, SUPPORTED)
        if readers := self.readers.get(output):
            rule = f"tensor {output!r} is an output of the network and read inside as well"
            raise refuse(readers[0], rule, "networks with one result at the end")
        last = self.owner[output]
        if last.selector is None:
            self._exit(output, None)
        for region in self.regions:
            if not region.exits and region.node is not None:
                raise refuse(region.node, "nothing reads its result", "networks without dead ends")


def _quantiser(region: Region, tensor: str) -> NodeProto | None:
    """What makes ``tensor``, looked for through pools, which leave codes what they are."""
    for node in reversed(region.nodes):
        if node.output[0] == tensor:
            if node.op_type not in POOLS:
                return node
            tensor = node.input[0]
    return None


def readers_of(model: ModelWrapper) -> dict[str, list[NodeProto]]:
    """The nodes that read each tensor, in order."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    return readers


def _roots(model: ModelWrapper) -> dict[str, str]:
    """The tensor of integers that each tensor is a function of."""
    roots = {model.graph.input[0].name: model.graph.input[0].name}
    for node in model.graph.node:
        data = [name for name in data_inputs(model, node) if name in roots]
        starts = node.op_type in (*PRODUCTS, *SUMS, *MOVES) or _is_join(roots, node, data)
        roots |= {out: out if starts or not data else roots[data[0]] for out in node.output}
    return roots


def _is_join(roots: dict[str, str], node: NodeProto, data: list[str]) -> bool:
    """It combines numbers that are no functions of one integer."""
    return len({roots[name] for name in data}) > 1


def _only_output(model: ModelWrapper, node: NodeProto) -> str:
    """The output that the network uses: the index of a TopK, else the first; others must be unused."""
    follow = 1 if node.op_type == "TopK" else 0
    read = {name for other in model.graph.node for name in other.input} | {out.name for out in model.graph.output}
    unused = [name for i, name in enumerate(node.output) if i != follow and name in read]
    if unused:
        raise refuse(node, f"its output {unused[0]!r} is used", f"only output {follow} of {node.op_type}")
    return node.output[follow]

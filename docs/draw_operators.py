"""Writes operators.md and its pictures: `python docs/draw_operators.py`. Contracts are the headers of `hw/rtl`; words
and cycles come from the operators themselves: values from their reference, cycles from their timing, which the tests
hold equal to the RTL.
"""

import runpy
from html import escape
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile import engine
from signflow.hw import ops
from signflow.hw.ops.base import RTL_DIR, RTL_DOMAIN, StreamOp, port_names

HERE = Path(__file__).parent
HEAD = """\
# The operators

Written by `python docs/draw_operators.py` from the headers of the RTL modules and from the operators themselves; a test
holds it current.

An accelerator is a chain of operators, and of forks and joins where the network has branches. Operators pass *words* to
each other: a word holds the elements of a few channels, and moves in a cycle in which one side has it and the other is
ready. Every operator has its own size: `PE` and `SIMD` say how many elements it works on in a cycle. A *frame* is one
image's worth of words. *Throughput* says how many cycles a frame takes, *latency* how many pass from the word that
decides a result to the result.

The pictures show small nodes, cycle by cycle. A box is a word, in the cycle in which it is taken or first offered, with
its elements from top to bottom; words of one vector (the channels of one position) have one colour. Inputs are always
there, and outputs are taken at once. The text below each picture is the header of the module, which is its contract:
`make prove` proves it ([trust.md](trust.md)). Every other module is in [the table of modules](../hw/rtl/README.md), and
[micro-architecture.md](micro-architecture.md) draws what is inside the larger ones.
"""
CELL, ROW, LEFT, GAP = 34, 15, 52, 12
"""Pixels: width of a cycle, height of an element, room for the names, room between streams."""
SHADES = ("#dbe7fb", "#fde9c9", "#dff3e0")


class Node:
    """One node of an operator with its constants; words and cycles of its streams."""

    def __init__(self, op_type: str, attributes: dict, inputs: tuple, constants: tuple):
        node = helper.make_node(op_type, [], [], domain=RTL_DOMAIN, backend="fpgadataflow", name="node", **attributes)
        op = getCustomOp(node)
        names, outputs = port_names("in", op.IN_STREAMS), port_names("out", op.OUT_STREAMS)
        node.input.extend([*names, *(f"constant{i}" for i in range(len(constants)))])
        node.output.extend(outputs)
        sides = (names, op.get_normal_input_shape), (outputs, op.get_normal_output_shape)
        tensors = [
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape(i)) for i, n in enumerate(side)]
            for side, shape in sides
        ]
        self.model = ModelWrapper(qonnx_make_model(helper.make_graph([node], "g", *tensors)))
        for i, values in enumerate(constants):
            self.model.set_initializer(f"constant{i}", np.asarray(values, np.float32))
        self.op = op = getCustomOp(self.model.graph.node[0])
        self.names = [*names, *outputs]
        frames = [np.asarray(x).reshape(-1, *op.get_normal_input_shape(i)) for i, x in enumerate(inputs)]
        results = [self._outputs(names, outputs, frame) for frame in zip(*frames, strict=True)]
        frames += [np.stack(side) for side in zip(*results, strict=True)]
        folded = [op.get_folded_input_shape(i) for i in range(len(names))]
        folded += [op.get_folded_output_shape(i) for i in range(len(outputs))]
        beside = [op.beside()[0]] * len(names) + [op.beside()[1]] * len(outputs)
        self.words = [self._words(x, shape[-1], side) for x, shape, side in zip(frames, folded, beside, strict=True)]
        shared = [x.shape[-1] // shape[-1] or 1 for x, shape in zip(frames, folded, strict=True)]
        self.vectors = [np.arange(len(w)) // n for w, n in zip(self.words, shared, strict=True)]
        taken, leaves = op.both(*[np.zeros(len(words), np.int64) for words in self.words[: len(names)]])
        self.cycles = [*taken, *[leaves] * len(outputs)]

    def _outputs(self, names: list[str], outputs: list[str], frame: tuple) -> list[np.ndarray]:
        context = {i.name: self.model.get_initializer(i.name) for i in self.model.graph.initializer}
        context |= {name: x.astype(np.float32) for name, x in zip(names, frame, strict=True)}
        shapes = [self.op.get_normal_output_shape(i) for i in range(len(outputs))]
        context |= {name: np.zeros(shape, np.float32) for name, shape in zip(outputs, shapes, strict=True)}
        self.op.execute_node(context, self.model.graph)
        return [context[name] for name in outputs]

    @staticmethod
    def _words(values: np.ndarray, lanes: int, pixels: int) -> np.ndarray:
        """(words, lanes) integers; where ``pixels`` vectors stand side by side, one above the other."""
        if pixels > 1:
            parts = values.shape[-1] * pixels // lanes
            values = values.reshape(-1, pixels, parts, lanes // pixels).swapaxes(1, 2)
        return values.reshape(-1, lanes).astype(int)

    def picture(self) -> str:
        """Words over cycles, as SVG."""
        end = int(max(cycles[-1] for cycles in self.cycles)) + 1
        parts, top = [], 18
        for cycle in range(end):
            parts.append(f'<text class="c" x="{LEFT + (cycle + 0.5) * CELL:.0f}" y="11">{cycle}</text>')
        for name, words, vectors, cycles in zip(self.names, self.words, self.vectors, self.cycles, strict=True):
            height = words.shape[1] * ROW + 6
            parts.append(f'<text x="4" y="{top + height / 2 + 4:.0f}">{name}</text>')
            for word, vector, cycle in zip(words, vectors, cycles, strict=True):
                x, shade = LEFT + cycle * CELL, SHADES[vector % len(SHADES)]
                parts.append(f'<rect x="{x + 1}" y="{top}" width="{CELL - 2}" height="{height}" fill="{shade}"/>')
                middle = x + CELL // 2
                parts += [
                    f'<text class="v" x="{middle}" y="{top + 14 + i * ROW}">{value}</text>'
                    for i, value in enumerate(word)
                ]
            top += height + GAP
        width = LEFT + end * CELL + 8
        style = (
            "text{font:12px sans-serif;fill:#222}.c{font-size:9px;fill:#777;text-anchor:middle}.v{text-anchor:middle}"
        )
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}">'
        return "\n".join(
            [head, f"<style>{style}</style>", '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"]
        )

    def sizes(self) -> str:
        """Its folding attributes, and what the estimate says of the node."""
        names = [f"`{name}` = {value}" for name, value in self.op.folding().items()]
        return f"{', '.join(names) or 'nothing to fold'}; estimated {self.op.lut_estimation()} LUTs"


def contract(module: str) -> str:
    """The header of an RTL module."""
    lines = (RTL_DIR / f"{module}.sv").read_text().split("`default_nettype")[0].splitlines()
    return "\n".join(line.removeprefix("//").removeprefix(" ").rstrip() for line in lines).strip()


def operators() -> set[str]:
    """The names of all that there are."""
    found, todo = set(), [StreamOp]
    while todo:
        todo += (kind := todo.pop()).__subclasses__()
        found |= {kind.__name__} if kind.__name__.endswith("_sf") else set()
    return found


def write(folder: Path) -> None:
    """The page and its pictures into ``folder``."""
    engine.boot()
    ops.register()
    examples = runpy.run_path(str(HERE / "operator_examples.py"))["EXAMPLES"]
    if missing := operators() - set(examples):
        raise ValueError(f"docs/operator_examples.py has no example of {', '.join(sorted(missing))}: add one")
    (folder / "operators").mkdir(exist_ok=True)
    parts, told = [HEAD.rstrip()], set()
    for name, ones in examples.items():
        parts.append(f"## {name.removesuffix('_sf')}")
        for one in ones:
            node = Node(name, one.attributes, one.inputs, one.constants)
            module, file = (
                node.op.rtl_instance(node.model).module,
                f"operators/{name.removesuffix('_sf')}{one.suffix}.svg",
            )
            (folder / file).write_text(node.picture())
            parts += [wrapped(one.says), f"![{escape(one.shows)}]({file})"]
            parts.append(wrapped(f"{one.shows} The node of the picture: {node.sizes()}."))
            contracts = [m for m in (module, *one.other) if m not in told]
            parts += [f"Module `{m}`:\n\n```text\n{contract(m)}\n```" for m in contracts]
            told |= {*contracts}
    (folder / "operators.md").write_text("\n\n".join(parts) + "\n")


def wrapped(text: str) -> str:
    """Prose in lines of 120 columns."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > 120:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


if __name__ == "__main__":
    write(HERE)

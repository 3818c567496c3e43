"""What errors.md shows: wrong commands and networks, whose messages `draw_errors.py` collects, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Something that is refused."""

    does: str
    """A command (``signflow ...``), or the expression of a network of two layers and more."""
    advice: str
    after: str = ""
    """What is done to the build of `tfc` that it needs: "built", "loaded", "damaged"; "" where it needs none."""


@dataclass(frozen=True)
class Section:
    """Cases of one kind."""

    title: str
    says: str
    cases: tuple[Case, ...]


NAMES = """\
def sign():
    return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


def codes(step):
    return qnn.QuantIdentity(bit_width=4, scaling_impl_type="const", scaling_init=step)


def dense(inputs, outputs, bits=1):
    quantiser = {"weight_bit_width": bits} if bits > 1 else {"weight_quant": SignedBinaryWeightPerTensorConst}
    return qnn.QuantLinear(inputs, outputs, bias=False, **quantiser)


def branch(*more):
    return nn.Sequential(dense(16, 8), nn.BatchNorm1d(8), *more)


class Both(nn.Module):  # two branches, and what joins them
    def __init__(self, join, left, right):
        super().__init__()
        self.join, self.left, self.right = join, left, right

    def forward(self, x):
        return self.join(self.left(x), self.right(x))


def net(*middle):  # images of 4 x 4 pixels, 3 classes
    return nn.Sequential(nn.Flatten(), sign(), *middle, dense(8, 3))
"""
"""What the networks are made of; shown on the page."""

WORDS = Section(
    "Words on the command line",
    "A word that the command does not know ends it with exit code 2, before anything is done. All other errors have "
    "exit code 1.",
    (
        Case("signflow biuld tfc", "Take the verb that is suggested; `signflow --help` lists all."),
        Case("signflow build tfc --prefer speed", "[command.md](command.md) has every option and its values."),
        Case(
            "signflow build tfc --from generate --clock 50", "Leave out `--from`, or begin at the step that is named."
        ),
        Case("signflow verify tfc --images photos", "Check the path. A number takes so many images of the data set."),
    ),
)
BUILDS = Section(
    "Networks, boards and builds",
    "In Python these are `FlowError`, `BoardError`, `FoldingError` and `ModelFileError`.",
    (
        Case("signflow build tcf", "Take the name that is suggested, or give the path of a QONNX file."),
        Case(
            "signflow build cnv-cifar",
            "These networks are there to be trained; `--random-weights 1` tries the hardware before that.",
        ),
        Case(
            "signflow build own.onnx",
            "Say what the network was trained on: `uint8/255` if images went through "
            "`ToTensor()`, `uint8` if their bytes went in as they are.",
        ),
        Case(
            "signflow build empty.onnx --input uint8",
            "The file is damaged or no ONNX file. Export it again; keep a `.data` file that lies beside it.",
        ),
        Case(
            "signflow build tfc --input uint8/255",
            "Only a file needs `--input`: our own networks know how their images look.",
        ),
        Case(
            "signflow build tfc --board pynq-z3",
            "Take a board that is listed, or describe yours in a TOML file "
            "(`--boards`, [board.md](board.md#two-tool-chains)).",
        ),
        Case("signflow verify tfc", "Build it first, with the same `--board` and `--out`."),
        Case(
            "signflow build tfc --target-fps 1e9",
            "Nothing is faster than an image a cycle. Ask for less, or for nothing: "
            "then you get the fastest that fits.",
            "built",
        ),
        Case(
            "signflow build lfc --random-weights 1 --board ulx3s --target-fps 1000000",
            "The link of the board brings no "
            "more pixels a second. Ask for less, or see with `--stream-bits N` what the core alone could do.",
            "built",
        ),
        Case(
            "signflow build cnv --random-weights 1 --board ulx3s --target-fps 30000",
            "Ask for fewer images a second, or take a larger board; [networks.md](networks.md) says what fits where.",
            "built",
        ),
        Case(
            "signflow simulate tfc --images 2 --operator MVAU_0 --wave out/w.vcd",
            "Take a name of the list, which is that of the folding's table.",
            "built",
        ),
        Case(
            "signflow package tfc",
            "An accelerator is packaged only when its build has compared it with the network. Run "
            "what the message says.",
            "built",
        ),
        Case(
            "signflow load-weights tfc --random-weights 2",
            "Fixed weights cannot be exchanged. Build with `--loadable` ([board.md](board.md#loading-weights)).",
            "built",
        ),
        Case(
            "signflow load-weights tfc --source sfc",
            "Only weights, thresholds and tables can be exchanged, not the "
            "hardware: the other network must have the same layers. In Python: `ExchangeError`.",
            "loaded",
        ),
    ),
)
IMAGES = Section(
    "Images, data and recipes",
    "In Python these are `ValueError` for images, `DataError` for data sets and `RecipeError` for recipes.",
    (
        Case(
            "signflow verify tfc --images colour",
            "Convert the pictures; signflow does not guess how colours become grey.",
            "built",
        ),
        Case("signflow verify tfc --images small.npy", "Scale or pad the images as you did for training.", "built"),
        Case(
            "signflow verify tfc --images floats.npy",
            "Give the bytes. What the network does with them, a division by 255 for example, belongs to the network.",
            "built",
        ),
        Case(
            "signflow verify tfc --images few.npy --labels many.txt",
            "Give a label for each image, in the same order.",
            "built",
        ),
        Case(
            "signflow verify tfc --split test",
            "Run `signflow data`, or name the folder that has the data set in "
            "`SIGNFLOW_DATA` ([training.md](training.md#data)).",
            "built",
        ),
        Case("signflow train recipe.toml", "Take a key of the list; `models/training/recipe.py` explains each."),
    ),
)
NETWORKS = Section(
    "Networks without exact hardware",
    "In Python this is `UnsupportedError`. The message names the node of the exported graph, what is in the way, and "
    "what is supported instead; open `1-network.onnx` in Netron to see the node among its neighbours.",
    (
        Case(
            "net(dense(16, 8), nn.ReLU())",
            "Every layer but the last needs a quantiser or a sign behind it: "
            "`qnn.QuantReLU(bit_width=4)` in place of `nn.ReLU()`.",
        ),
        Case(
            "net(nn.Linear(16, 8), sign())",
            "Take a quantised layer and train again: `qnn.QuantLinear` with "
            "`weight_bit_width` up to 8, or with a ±1 quantiser. Rounding trained floats is not what you trained.",
        ),
        Case("net(dense(16, 8, bits=12), sign())", "Eight bits are the most that a weight may have."),
        Case(
            "net(Both(torch.add, branch(codes(1.0)), branch(codes(1.7))), sign())",
            "Let the branches share one quantiser, or give them scales that are a power of two apart.",
        ),
        Case(
            "net(Both(torch.mul, branch(codes(1.0)), branch(codes(1.0))), sign())",
            "Streams can be added and put side by "
            "side, not multiplied. A gate of one and the same number is fine: that is a function of one number.",
        ),
        Case(
            "net(dense(16, 8), nn.LayerNorm(8), sign())",
            "Train with batch normalisation, or with what replaces it ([papers.md](papers.md)).",
        ),
        Case(
            "net(dense(16, 8), sign(), nn.Unflatten(1, (2, 2, 2)), nn.Upsample(scale_factor=2), nn.AvgPool2d(2), "
            "nn.Flatten())",
            "Maps cannot be enlarged: there is no operator that repeats pixels.",
        ),
    ),
)
DIFFERENCE = Section(
    "A logit that differs",
    "In Python this is `LadderError`. It should not happen: a build ends with a check of itself, and what has passed "
    "that differs only if something was changed afterwards. Here a bit of a weight was flipped in a memory image.",
    (
        Case(
            "signflow verify tfc --images 50",
            "Build again. If it stays, this is a fault of signflow: please report the message with your file.",
            "damaged",
        ),
    ),
)
SECTIONS = (WORDS, BUILDS, IMAGES, NETWORKS, DIFFERENCE)

DRIVER = (
    ("pynq is missing", "Run it on the board, or install pynq to try it with the simulated board."),
    ("is missing: unpack the whole", "Unpack the zip into one folder; keep its files together."),
    ("is not this package's", "A file was changed or mixed with another package's. Unpack the package again."),
    (
        "the board is in use by",
        "Another program, often another notebook, has the board. End it, or `close()` it there.",
    ),
    ("this accelerator is closed", "Open it again; after `with` it is closed."),
    (
        "is a simulation image",
        "This package was made without a bitstream. Finish `8-project` where Vivado is, and package again.",
    ),
    ("do not scale them", "Give bytes (uint8), as the message says."),
    (
        "nothing moved for",
        "The accelerator or the DMA hangs. The next call begins clean; if it comes back, switch the board off and on.",
    ),
    ("another design is on the board", "Somebody loaded another bitstream. Open the accelerator again."),
    (
        "self-test: image",
        "The circuit does not compute this network. Make the bitstream again; check its timing report.",
    ),
    (
        "the weights are for another accelerator",
        "Make the weights with `acc.weights` of the build that made this bitstream.",
    ),
    (
        "the serial port {self._name} cannot",
        "Check cable and name of the port, and that you may use it (group `dialout`).",
    ),
)
"""Part of a message of the driver -> what to do."""

"""Draws the pictures of micro-architecture.md: `python docs/micro-architecture/draw.py`.

place.svg        a full adder that takes two places with their weights, in one LUT; a row of them
counter.svg      six bits to three in two LUTs and half a carry chain
columns.svg      the columns of a popcount, level by level: as many dots as the hardware has bits
steps.svg        weights that are constants of four steps, inside the adders
planes.svg       the first layer by bit planes
unit.svg         a matrix-vector unit
pixels.svg       two vectors for a weight word
"""

from pathlib import Path

from signflow.deploy.pictures.canvas import AMBER, BLUE, GREEN, WHITE, Canvas
from signflow.hw.ops.compress import columns, reduced

HERE = Path(__file__).parent
BOLD = {"font_weight": "bold"}
DOTS = "#aecbfa", "#a8dab5"
SIMD = 64
"""Places of the popcount in columns.svg."""


def place() -> None:
    """Two places and a bit are five inputs."""
    page = Canvas(960, 330)
    page.title("two places and a plain bit: a full adder with XNORs in front, in one LUT6_2")
    page.box(120, 60, 210, 130, "LUT6_2", "plain + (a0 XNOR w0)", "+ (a1 XNOR w1)", fill=BLUE)
    for k, words in enumerate(("plain", "a0", "w0", "a1", "w1")):
        page.text(52, 79 + 25 * k, words, 12, "end")
        page.line((58, 75 + 25 * k), (116, 75 + 25 * k))
    for y, words in ((95, "lowest bit: plain of the next LUT"), (155, "carry: a bit that counts 2")):
        page.line((330, y), (370, y))
        page.text(378, y + 4, words, 12, "start")
    page.note(600, 84, "a: activation, w: weight from the memory")
    page.note(600, 104, "two functions of five inputs fit one look-up table,")
    page.note(600, 120, "so two places cost one LUT: 0.5 a place")
    page.text(20, 232, "a row: 8 of them, 16 places", 13, "start", **BOLD)
    for k in range(8):
        x = 60 + 100 * k
        page.box(x, 250, 62, 34, "LUT6_2", fill=BLUE)
        if k < 7:
            page.line((x + 62, 267), (x + 98, 267))
        page.line((x + 31, 284), (x + 31, 306))
        page.note(x + 36, 306, "carry")
    page.text(28, 271, "0", 12)
    page.line((36, 267), (58, 267))
    page.line((822, 267), (868, 267))
    page.note(874, 264, "one plain bit,")
    page.note(874, 279, "8 carries")
    page.write(HERE / "place.svg")


def counter() -> None:
    """Five bits in two LUTs, the sixth as the carry that enters."""
    page = Canvas(960, 330)
    page.title("6:3 counter: how many of six bits are 1, in two LUT6_2 and two positions of a carry chain")
    for k in range(5):
        page.text(44, 87 + 26 * k, f"b{k}", 12, "end")
        page.line((50, 83 + 26 * k), (90, 83 + 26 * k), tip=False)
    page.line((90, 83), (90, 245), tip=False, wide=3)
    page.line((90, 110), (156, 110))
    page.line((90, 215), (156, 215))
    page.note(96, 104, "5 bits")
    page.box(160, 72, 230, 76, "LUT6_2 of position 1", "propagate: n is 2 or 3", "generate: n is 4 or 5", fill=BLUE)
    page.box(160, 177, 230, 76, "LUT6_2 of position 0", "propagate: n is odd", "generate: never", fill=BLUE)
    page.box(520, 60, 130, 205, "", fill=AMBER)
    page.text(585, 54, "CARRY4, half of it", 12)
    page.text(585, 115, "position 1", 12)
    page.text(585, 220, "position 0", 12)
    page.line((585, 200), (585, 132))
    page.note(592, 168, "carry")
    for y in (110, 215):
        page.line((390, y), (516, y))
    page.text(585, 310, "b5, the sixth bit, is the carry that enters", 12)
    page.line((585, 295), (585, 269))
    for y, words in ((82, "4s: the carry that leaves"), (125, "2s"), (215, "1s")):
        page.line((650, y), (700, y))
        page.text(708, y + 4, words, 12, "start")
    page.note(708, 250, "six bits become three: 1.5 bits less for each LUT,")
    page.note(708, 266, "where a full adder takes away one")
    page.write(HERE / "counter.svg")


def levels(places: int) -> list[tuple[int, ...]]:
    """Heights of the columns behind the rows of full adders and behind every level of counters."""
    found = [columns(places)]
    while max(found[-1]) > 3:
        found.append(reduced(found[-1])[0])
    return found


def column_dots() -> None:
    """Dot diagram."""
    stages = levels(SIMD)
    page = Canvas(960, 470)
    page.title(f"the popcount of {SIMD} places: bits in columns of their weight, a register behind every step")
    x, base = 60, 400
    for k, heights in enumerate(stages):
        name = f"{SIMD // 2} full adders" if k == 0 else f"level {k} of counters"
        for r, height in enumerate(heights):
            for n in range(height):
                page.dot(x + 22 * (len(heights) - 1 - r), base - 10 * n, DOTS[k > 0])
            page.note(x + 22 * (len(heights) - 1 - r), base + 20, f"{2**r}", "middle")
        right = x + 22 * (len(heights) - 1)
        page.text((x + right) / 2, 60, name, 12, **BOLD)
        luts = SIMD // 2 if k == 0 else reduced(stages[k - 1])[1]
        page.note((x + right) / 2, 77, f"{luts} LUTs, {sum(heights)} bits", "middle")
        page.line((right + 26, 240), (right + 66, 240))
        x = right + 84
    width = len(stages[-1])
    page.box(x, 214, 120, 52, "sf_add3", "three rows to one", fill=AMBER)
    page.line((x + 120, 240), (x + 160, 240))
    page.text(x + 168, 244, f"{width} bits", 12, "start")
    page.note(
        20,
        452,
        "below: what a bit of the column counts; six become one of that, one of twice, one of four times that",
    )
    page.write(HERE / "columns.svg")


def steps() -> None:
    """Three places and the number of the step."""
    page = Canvas(960, 250)
    page.title("weights inside the adders: three places of four steps each, no memory")
    held = [f"step {k}: weights {signs}" for k, signs in enumerate(("+ - +", "- - +", "+ + +", "- + -"))]
    page.box(120, 55, 250, 150, "LUT6_2", *held, fill=BLUE)
    for k, words in enumerate(("a0", "a1", "a2", "step, bit 0", "step, bit 1")):
        page.text(92, 81 + 26 * k, words, 12, "end")
        page.line((96, 77 + 26 * k), (116, 77 + 26 * k))
    for y, words in ((100, "how many of the three agree, bit 0"), (160, "bit 1")):
        page.line((370, y), (410, y))
        page.text(418, y + 4, words, 12, "start")
    page.note(660, 84, "the window of activations stands still for four cycles,")
    page.note(660, 100, "while a PE works on four neurons in turn")
    page.note(660, 132, "1/3 LUT a place, and no block RAM:")
    page.note(660, 148, "layers whose whole vector comes in a word")
    page.write(HERE / "steps.svg")


def planes() -> None:
    """Low planes first."""
    page = Canvas(960, 360)
    page.title("the first layer by bit planes: 27 bytes, two planes a cycle, the low ones first")
    for k in range(8):
        hot = k in (0, 1)
        page.box(40 + 20 * (7 - k), 70, 18, 130, fill=AMBER if hot else WHITE, round_=2)
        page.note(49 + 20 * (7 - k), 64, f"{k}", "middle")
    page.note(40, 220, "27 bytes, bit 7 .. bit 0")
    page.note(40, 236, "cycle 0 takes bits 0 and 1,")
    page.note(40, 252, "cycle 1 bits 2 and 3, ...")
    page.line((204, 135), (246, 135))
    page.box(250, 80, 170, 110, "threes", "of a plane: all eight", "patterns of weights", "counted once", fill=BLUE)
    page.note(250, 208, "9 threes x 2 planes x 8 LUTs")
    page.note(250, 224, "for all neurons together")
    page.line((420, 135), (466, 135))
    page.box(
        470,
        70,
        150,
        130,
        "neuron",
        "takes those of its",
        "own weights: wires;",
        "sf_compress",
        fill=GREEN,
    )
    page.note(470, 220, "x 64 neurons")
    page.line((620, 135), (666, 135))
    page.box(670, 80, 120, 110, "sum", "+ counts,", "shifted down by", "two bits", fill=GREEN)
    page.line((730, 190), (730, 226), (640, 226), (640, 150), (666, 150), tip=True, dash="4 3")
    page.note(700, 244, "high bits stay")
    page.line((790, 110), (836, 110))
    page.box(840, 80, 100, 110, "limit", "the bits that", "leave are", "compared", fill=AMBER)
    page.line((890, 190), (890, 250))
    page.text(890, 268, "sign", 12, **BOLD)
    page.note(
        40,
        310,
        "sum = acc + a constant, which the limit has in it; as wide as 27 needs, not as 27 x 255",
    )
    page.note(40, 328, "1, 2, 3, 4 or 8 planes a cycle: 8, 4, 3, 2 or 1 cycles a pixel for all neurons.")
    page.write(HERE / "planes.svg")


def unit() -> None:
    """The parts of `sf_mvau.sv` and who waits for whom."""
    page = Canvas(960, 386)
    page.title("a matrix-vector unit: PE neurons at a time, SIMD inputs of each a cycle")
    page.text(30, 124, "words", 12, "start")
    page.line((26, 134), (86, 134))
    page.box(90, 104, 130, 60, "replay buffer", "SF words, NF times", fill=WHITE)
    page.line((220, 134), (276, 134))
    page.box(90, 220, 130, 60, "weights", "NF x SF words", fill=AMBER)
    page.line((220, 250), (250, 250), (250, 160), (276, 160))
    page.note(90, 298, "block RAM, logic or UltraRAM;")
    page.note(90, 313, "or none: in the adders")
    for k in range(3):
        page.box(280 + 8 * k, 96 + 10 * k, 150, 76, "dot product", "popcount of SIMD", "places", fill=BLUE)
    page.note(310, 212, "PE of them, each a count a cycle")
    page.line((448, 144), (494, 144))
    page.box(498, 106, 140, 76, "accumulators", "start at -T of", "their neuron", fill=GREEN)
    page.box(498, 220, 140, 60, "start values", "NF words", fill=AMBER)
    page.line((568, 220), (568, 186))
    page.line((638, 144), (684, 144))
    page.box(688, 114, 90, 60, "sign", "sum >= 0", fill=GREEN)
    page.line((778, 144), (814, 144))
    page.box(818, 114, 90, 60, "FIFO", "32 words", fill=WHITE)
    page.line((908, 144), (946, 144))
    page.box(90, 330, 130, 36, "step control")
    page.line((863, 174), (863, 348), (224, 348), dash="4 3")
    page.note(
        540,
        340,
        "room: a step starts only if its result finds a place, so nothing in between stops",
        "middle",
    )
    page.note(20, 60, "SF = MW/SIMD steps, NF = MH/PE groups of neurons, both rounded up: NF x SF cycles a vector")
    page.write(HERE / "unit.svg")


def pixels() -> None:
    """Two vectors side by side."""
    page = Canvas(960, 300)
    page.title("two vectors for a weight word: half the reads, half the block RAM")
    page.text(30, 128, "vector by vector", 12, "start")
    page.line((26, 140), (126, 140))
    page.box(130, 106, 130, 68, "interleaver", "two halves of", "LUT RAM", fill=WHITE)
    page.line((260, 122), (346, 122))
    page.line((260, 158), (346, 196), tip=True)
    page.note(268, 114, "word of vector 0")
    page.note(268, 214, "word of vector 1")
    page.box(350, 84, 180, 62, "dot products of vector 0", "PE of them", fill=BLUE)
    page.box(350, 176, 180, 62, "dot products of vector 1", "PE of them", fill=BLUE)
    page.box(590, 130, 120, 62, "weights", "one word a cycle", fill=AMBER)
    page.line((590, 150), (534, 120))
    page.line((590, 172), (534, 202))
    page.line((440, 84), (440, 62), (770, 62), (770, 140), (796, 140))
    page.line((440, 238), (440, 262), (770, 262), (770, 180), (796, 180))
    page.box(800, 126, 130, 68, "interleaver", "one behind the", "other again", fill=WHITE)
    page.note(470, 56, "accumulators, signs")
    page.write(HERE / "pixels.svg")


def main() -> None:
    """Draw all pictures."""
    for draw in (place, counter, column_dots, steps, planes, unit, pixels):
        draw()


if __name__ == "__main__":
    main()

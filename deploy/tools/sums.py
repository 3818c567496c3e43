"""Sums of any width, proved as polynomials: popcounts that are too large for a solver, in a second.

    witness = difference(netlist["modules"]["prove_dot_binary"], "i_delayed.got_i", "i_delayed.want_q")

The number that comes out, less the one that should, is a polynomial with integer coefficients of the circuit's bits,
modulo 2**width. From the outputs back to the inputs each cell's outputs are replaced by the polynomials of its inputs
(Yu and Ciesielski, "Formal verification of arithmetic circuits by function extraction", IEEE TCAD 2016). The bits of a
count together are the sum of what is counted, so trees of counters shrink to sums of inputs. Nothing is left where both
numbers are equal for every input, and only there.

Cells are those of Yosys and the leaves of the RTL's popcounts, `LEAVES`, whose formulas have proofs of their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

LEAVES = ("sf_counter", "sf_add3", "sf_lut_pair")
"""Modules that are cells here."""
REGISTERS = 64
"""In a row: more are a loop."""
TERMS = 20_000
"""Of a polynomial, behind which it is given up."""
MOST = 6
"""Inputs of a function that is a table."""
OUTPUTS = ("Q", "Y", "out_o", "count_o", "sum_o")
ADDERS = {"$add": ("A", "B"), "sf_add3": ("a_i", "b_i", "c_i")}
LATENCY = {"sf_add3": 1}

Bit = tuple[int, int]
"""A bit of the netlist, so many cycles before the output."""
Term = frozenset[Bit]
"""A product of bits."""
Polynomial = dict[Term, int]
ONE: Term = frozenset()


class NotASum(ValueError):
    """The circuit has something that these polynomials cannot say, or too many terms."""


def difference(module: Mapping, got: str, want: str) -> str:
    """Inputs for which the word ``got`` is not the last one in the shift register ``want``, modulo its width; "" where
    there are none. Raises NotASum.
    """
    nets = module["netnames"]
    width = len(nets[got]["bits"])
    circuit = _Circuit(module["cells"].values(), 2**width)
    for bits, sign in ((nets[got]["bits"], 1), (nets[want]["bits"][-width:], -1)):
        for k, bit in enumerate(bits):
            circuit.add({ONE: sign << k}, circuit.polynomial(bit, 0))
    circuit.rewrite()
    if not circuit.terms:
        return ""
    term = min(circuit.terms, key=len)  # the only one that is 1 where its bits are, and no others
    named = {bit: f"{name}[{k}]" for name, net in nets.items() for k, bit in enumerate(net["bits"]) if "." not in name}
    ones = ", ".join(sorted(f"{named[bit]} {ago} cycles ago" for bit, ago in term)) or "none"
    return f"wrong by {circuit.terms[term]} modulo {2**width} where of all inputs these are 1: {ones}"


class _Circuit:
    """A polynomial of a circuit's bits, which `rewrite` turns into one of its inputs."""

    def __init__(self, cells: Sequence[Mapping], modulus: int) -> None:
        self.modulus = modulus
        self.terms: Polynomial = {}
        self.uses: dict[Bit, set[Term]] = defaultdict(set)
        ports = ((cell, cell["connections"][port]) for cell in cells for port in OUTPUTS if port in cell["connections"])
        self.drivers = {bit: (cell, k) for cell, bits in ports for k, bit in enumerate(bits)}

    def polynomial(self, bit: int | str, ago: int) -> Polynomial:
        """A bit of the netlist or a constant, behind the registers that it comes through."""
        while bit in self.drivers and self.drivers[bit][0]["type"] == "$dff":
            cell, k = self.drivers[bit]
            bit, ago = cell["connections"]["D"][k], ago + 1
            if ago > REGISTERS:
                raise NotASum("its registers make a loop")
        if isinstance(bit, int):
            return {frozenset([(bit, ago)]): 1}
        if bit not in ("0", "1"):
            raise NotASum(f"a bit is {bit!r}")
        return {ONE: 1} if bit == "1" else {}

    def add(self, one: Polynomial, other: Polynomial) -> None:
        """Add the product of two polynomials."""
        for term, x in _times(one, other).items():
            if value := (self.terms.pop(term, 0) + x) % self.modulus:
                self.terms[term] = value
            for bit in term:
                (self.uses[bit].add if value else self.uses[bit].discard)(term)

    def factor(self, bit: Bit) -> Polynomial:
        """What the bit is multiplied with; its terms are removed."""
        found = {}
        for term in list(self.uses[bit]):
            found[term - {bit}] = self.terms.pop(term)
            for each in term:
                self.uses[each].discard(term)
        return found

    def rewrite(self) -> None:
        """Replace each cell's outputs by its inputs, a cell behind all that take its outputs."""
        for cell, ago in self.order():
            if cell["type"] in ADDERS:
                self.replace_sum(cell, ago)
            else:
                for outputs, inputs, function in _functions(cell):
                    factors = [self.factor((bit, ago)) for bit in outputs]
                    for value, factor in zip(self.values(inputs, ago, function), factors, strict=True):
                        self.add(factor, value)
            if len(self.terms) > TERMS:
                raise NotASum(f"it has more than {TERMS} terms")

    def order(self) -> list[tuple[Mapping, int]]:
        """Cells with the cycles before the output in which they count, those near the output first."""
        done, ahead = {}, [(bit, ago, False) for term in self.terms for bit, ago in term]
        while ahead:
            bit, ago, left = ahead.pop()
            if bit not in self.drivers:
                continue
            cell = self.drivers[bit][0]
            if left:
                done.setdefault((id(cell), ago), (cell, ago))
            elif (id(cell), ago) not in done:
                ahead.append((bit, ago, True))
                ports = [bits for port, bits in cell["connections"].items() if port not in OUTPUTS]
                for source in {source for bits in ports for source in bits}:
                    before = self.polynomial(source, ago + LATENCY.get(cell["type"], 0))
                    ahead += [(*below, False) for term in before for below in term]
        return list(done.values())[::-1]

    def replace_sum(self, cell: Mapping, ago: int) -> None:
        """An adder's outputs, which must be used as one number, by its summands."""
        (outputs,) = (cell["connections"][port] for port in OUTPUTS if port in cell["connections"])
        first, *others = (self.factor((bit, ago)) for bit in outputs)
        doubled = [{term: (x << k) % self.modulus for term, x in first.items()} for k in range(len(outputs) + 1)]
        doubled = [{term: x for term, x in factor.items() if x} for factor in doubled]
        if others != doubled[1:-1] or doubled[-1]:
            raise NotASum(f"the bits of a {cell['type']} are not used as one number")
        ago += LATENCY.get(cell["type"], 0)
        for port in ADDERS[cell["type"]]:
            for bit, factor in zip(cell["connections"][port], doubled, strict=False):  # what is missing is 0
                self.add(factor, self.polynomial(bit, ago))

    def values(self, inputs: Sequence, ago: int, function: Callable[..., Sequence[int]]) -> list[Polynomial]:
        """Every output of a function of bits as a polynomial: the Moebius transform of its table."""
        table = [list(function(*bits[::-1])) for bits in product((0, 1), repeat=len(inputs))]
        for i in range(len(inputs)):
            for k in range(len(table)):
                if k >> i & 1:
                    table[k] = [x - y for x, y in zip(table[k], table[k ^ 1 << i], strict=True)]
        products: list[Polynomial] = [{ONE: 1}]
        for bit in inputs:
            products += [_times(one, self.polynomial(bit, ago)) for one in products]
        found: list[Polynomial] = []
        for n in range(len(table[0])):
            sums: Polynomial = defaultdict(int)
            for row, one in zip(table, products, strict=True):
                for term, x in one.items():
                    sums[term] += row[n] * x
            found.append({term: x for term, x in sums.items() if x})
        return found


def _times(one: Polynomial, other: Polynomial) -> Polynomial:
    found: Polynomial = defaultdict(int)
    for a, x in one.items():
        for b, y in other.items():
            found[a | b] += x * y
    return found


COMPARES: dict[str, Callable[[tuple, tuple], bool]] = {
    "$eq": lambda a, b: a == b,
    "$logic_and": lambda a, b: any(a) and any(b),
    "$logic_or": lambda a, b: any(a) or any(b),
}


def _functions(cell: Mapping) -> Iterator[tuple[list, list, Callable[..., Sequence[int]]]]:
    """(outputs, inputs, function of the inputs), lowest bits first, of a cell that is no adder. Raises NotASum."""
    kind, ports = cell["type"], cell["connections"]
    if kind == "sf_counter":
        yield ports["count_o"], ports["in_i"], lambda *x: [sum(x) >> k & 1 for k in range(3)]
    elif kind == "sf_lut_pair":
        if set(cell["parameters"]["TABLES"]) - {"0", "1"}:
            raise NotASum(f"a table is {cell['parameters']['TABLES']}")
        table = int(cell["parameters"]["TABLES"], 2)
        yield ports["out_o"], ports["in_i"], lambda *x: [table >> 32 * k + _number(x) & 1 for k in range(2)]
    elif kind == "$mux":
        for y, a, b in zip(ports["Y"], ports["A"], ports["B"], strict=True):
            yield [y], [a, b, *ports["S"]], lambda a, b, s: [b if s else a]
    elif kind == "$logic_not" and len(ports["A"]) <= MOST:
        yield ports["Y"], ports["A"], lambda *a: [int(not any(a))]
    elif kind == "$not":
        yield from (([y], [a], lambda a: [1 - a]) for y, a in zip(ports["Y"], ports["A"], strict=True))
    elif kind in COMPARES and len(ports["A"]) == len(ports["B"]) <= MOST // 2:
        half = len(ports["A"])
        yield ports["Y"], [*ports["A"], *ports["B"]], lambda *x: [int(COMPARES[kind](x[:half], x[half:]))]
    else:
        raise NotASum(f"a cell is a {kind}")


def _number(bits: Sequence[int]) -> int:
    return sum(bit << k for k, bit in enumerate(bits))

"""Modules are proven at the parameters that they have in an accelerator, and what stands for others is looked at."""

import copy
import json

import pytest

from signflow.deploy.tools import columns, own, prove, yosys
from signflow.deploy.tools.instances import ElaborationError, Instance, instances

DESIGN = """\
module leaf #(parameter int N = 1, parameter FILE = "", parameter logic [79:0] LONG = '0, localparam int M = N)();
  if (N > 3) $error("leaf: N = %0d, must be <= 3", N);
endmodule
module top #(parameter int DEEP = 2)();
  for (genvar i = 0; i < 2; i++) begin : gen_two
    leaf #(.N(i + 1), .FILE("a.mem"), .LONG(80'h123456789abcdef01234)) i_leaf ();
    if (i > 5) begin : gen_never leaf i_never (); end
  end
  leaf #(.N(DEEP), .FILE("b.mem"), .LONG(80'h123456789abcdef01234)) i_again ();
  leaf i_default ();
endmodule
"""


def fifo(width: int, depth: int, block: int = 0) -> Instance:
    return Instance("sf_fifo", (("WIDTH", str(width)), ("DEPTH", str(depth)), ("BLOCK", str(block))))


def test_instances_are_counted_with_their_parameters(tmp_path):
    (tmp_path / "top.sv").write_text(DESIGN)
    long = ("LONG", "80'h123456789abcdef01234")

    def leaf(n, last=long):
        return Instance("leaf", (("N", n), ("FILE", '""'), last))

    top = Instance("top", (("DEEP", "2"),))
    found = {top: 1, leaf("1"): 1, leaf("2"): 2, leaf("1", ("LONG", "0")): 1}
    for checked in (True, False):
        assert instances("top", [tmp_path / "top.sv"], checked=checked) == found
    assert leaf("3") in instances("top", [tmp_path / "top.sv"], ["-G", "DEEP=3"])
    with pytest.raises(ElaborationError, match="N = 4, must be <= 3"):
        instances("top", [tmp_path / "top.sv"], ["-G", "DEEP=4"])


def test_a_fifo_is_proven_as_deep_as_it_is(tmp_path):
    (case,) = own.own(fifo(96, 32))
    assert case.parameters == "DEPTH=32 BLOCK=0" and own.wide(fifo(96, 32)) and not own.wide(fifo(1, 32))
    assert own.proven(case) == {fifo(1, 32)}
    (found,) = prove.prove([case], tmp_path, patience=20)
    assert found.proved and found.how == "induction 2", found
    assert "value" in found.properties and not [name for name in found.properties if name.startswith("reach")]


def test_a_fault_at_these_parameters_is_refuted(tmp_path):
    """One that the small cases of a power of two do not have: the pointer of the 33rd word."""
    text = (prove.RTL / "sf_fifo.sv").read_text()
    (tmp_path / "sf_fifo.sv").write_text(text.replace("wr_q == LAST ?", "wr_q == LAST - 1'b1 ?", 1))
    (found,) = prove.prove(own.own(fifo(1, 33)), tmp_path, rtl=[tmp_path / "sf_fifo.sv"], patience=20)
    assert not found.proved


def test_what_cannot_be_proven_there_says_why():
    with pytest.raises(own.NoProofError, match="no proof"):
        own.own(Instance("cnv", ()))
    with pytest.raises(own.NoProofError, match="stated for small parameters"):
        own.own(Instance("sf_maxpool", (("C", "1"),)))
    with pytest.raises(own.NoProofError, match="300 words in and 1 out, but places have 8 bits"):
        own.own(Instance("sf_dwc", (("IN_WIDTH", "1"), ("OUT_WIDTH", "300"))))
    with pytest.raises(own.NoProofError, match="leaves other parameters as they are"):  # 0 stands for others there
        weights = ("WEIGHTS", "0")
        own.own(Instance("sf_dot_steps", (("SIMD", "4"), ("GROUP", "0"), ("STEPS", "2"), ("STAGES", "2"), weights)))


def test_a_module_of_primitives_is_proven_in_each_of_its_forms():
    words = [case.parameters for case in own.own(Instance("sf_add3", (("WIDTH", "11"),)))]
    assert words == ["WIDTH=11", "WIDTH=11 SF_LUT6_2", "WIDTH=11 SF_LUT6_2 SF_CARRY8"]


ONE_BIT = [
    fifo(3, 5, block=1),
    fifo(2, 8),
    Instance("sf_duplicate", (("WIDTH", "4"),)),
    Instance("sf_replicate", (("WIDTH", "3"), ("WORDS", "4"), ("COPIES", "2"))),
    Instance("sf_replicate", (("WIDTH", "3"), ("WORDS", "1"), ("COPIES", "2"))),
    Instance("sf_ring", (("WIDTH", "5"), ("DEPTH", "7"), ("BLOCK", "1"))),
    Instance("sf_ring", (("WIDTH", "5"), ("DEPTH", "7"), ("BLOCK", "0"))),
]


def test_the_bits_of_a_word_all_go_the_same_way(tmp_path):
    assert own.alike(ONE_BIT, tmp_path, 1) == dict.fromkeys(ONE_BIT, "")


@pytest.mark.parametrize("old, new, why", [
    ("mem_q[wr_q] <= in_data_i", "mem_q[wr_q] <= {<<{in_data_i}}", "comes from elsewhere"),  # bits in reverse
    ("out_data_o  = mem_q[rd_q]", "out_data_o  = mem_q[rd_q] ^ WIDTH'(4)", "other cells|comes from elsewhere"),
    ("out_data_o  = mem_q[rd_q]", "out_data_o  = count_q[0] ? mem_q[rd_q] : WIDTH'(4)", "comes from elsewhere"),
    ("out_valid_o = count_q != '0", "out_valid_o = count_q != '0 && in_data_i[WIDTH-1]", "comes from elsewhere"),
    ("count_q != CW'(DEPTH);", "count_q != CW'(WIDTH);", "another cell|comes from elsewhere"),
])  # fmt: skip
def test_words_whose_bits_do_not_are_found(tmp_path, monkeypatch, old, new, why):
    text = (prove.RTL / "sf_fifo.sv").read_text()
    assert text.count(old) == 1
    (tmp_path / "sf_fifo.sv").write_text(text.replace(old, new))
    monkeypatch.setattr(own, "RTL", tmp_path)
    found = own.alike([fifo(3, 8)], tmp_path, 1)[fifo(3, 8)]
    assert any(part in found for part in why.split("|")), found


def test_a_wire_that_is_crossed_in_the_netlist_is_found(tmp_path):
    """Any bit of a word at any cell, exchanged with its neighbour."""
    one, many = fifo(1, 5, 1), fifo(3, 5, 1)
    yosys.run([], [(str(i), [*own._read(i), f"write_json {k}.json"]) for k, i in enumerate((one, many))], tmp_path, 1)
    narrow, wide = (json.loads((tmp_path / f"{k}.json").read_text())["modules"]["sf_fifo"] for k in (0, 1))
    words = ["in_data_i", "out_data_o"]
    assert columns.differs(wide, narrow, words, 3) == ""
    tried = 0
    for name, cell in wide["cells"].items():
        for port, bits in cell["connections"].items():
            if len(bits) == 3 and len(set(bits)) == 3 and len(narrow["cells"][name]["connections"][port]) == 1:
                crossed = copy.deepcopy(wide)
                there = crossed["cells"][name]["connections"][port]
                there[0], there[1] = there[1], there[0]
                assert columns.differs(crossed, narrow, words, 3), (name, port)
                tried += 1
    assert tried > 3

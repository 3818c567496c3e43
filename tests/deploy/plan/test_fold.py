"""Folding: only legal values, targets met, errors that name the nearest legal value."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signflow.deploy import flow
from signflow.deploy.compile import engine, lower
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.plan import fit, fold
from signflow.deploy.plan.graph import operators
from signflow.hw.boards import board
from signflow.hw.ops.folding import BRAM_AS_LUT, CYCLES_AS_LUT, FoldingError, cost, divisors

engine.boot()


@pytest.fixture
def hardware(mini):
    return flow.read(mini[1], flow.HARDWARE)


@given(n=st.integers(1, 5000))
def test_divisors(n):
    assert divisors(n) == [d for d in range(1, n + 1) if n % d == 0]


@given(target=st.integers(1100, 200_000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_operator_meets_the_target_with_legal_values(hardware, target):
    fold.fold_to_cycles(hardware, target)
    for op in operators(hardware):
        assert op.get_exp_cycles() <= target
        for attribute, values in op.foldings().items():
            assert op.get_nodeattr(attribute) in values


def test_slower_targets_never_cost_more(hardware):
    """By the measure that folding minimises, for the operators whose choice depends on nothing but the target."""
    costs = []
    for target in (2000, 4000, 8000, 16000, 64000):
        fold.fold_to_cycles(hardware, target)
        convolutions = [op for op in operators(hardware) if op.onnx_node.op_type == "MVAU_sf"][:6]
        parts = [(*cost(op), op.get_exp_cycles()) for op in convolutions]
        costs.append(sum(lut + BRAM_AS_LUT * bram + cycles / CYCLES_AS_LUT for lut, bram, cycles in parts))
    assert costs == sorted(costs, reverse=True) and costs[0] > 1.5 * costs[-1]


def test_board_folding_fills_but_does_not_exceed(hardware):
    small = replace(board("pynq-z2"), lut=6000)
    fit.fold_to_board(hardware, small)
    used, interval = sum(cost(op)[0] for op in operators(hardware)), fold.interval(hardware)
    assert used <= 0.8 * 6000
    with pytest.raises(FoldingError):  # nothing faster fits, but for the few percent that cost too much
        fold.fold_to_cycles(hardware, int(interval / (1 + fit.SLOWER)) - 1, small.stream_bits)
        fit.check_fits(hardware, small, fit.UTILISATION)


def test_what_operators_remember_of_other_targets_changes_nothing(hardware):
    wired = fold.wiring(hardware)
    for target in (1500, 40_000, 6000, 3000):
        fold.fold_to_cycles(hardware, target, wired=wired)
        again = fold.folding_of(hardware)
        fold.fold_to_cycles(hardware, target)
        assert fold.folding_of(hardware) == again


def test_less_than_the_cheapest_converters_and_fifos_is_never_needed(hardware):
    for target in (1500, 6000, 40_000):
        wired = fold.wiring(hardware)
        fold.fold_to_cycles(hardware, target, wired=wired)
        least, needed = fit._least(wired), fit.buffered_cost(hardware)
        assert 0.8 * needed["LUT"] < least["LUT"] <= needed["LUT"]
        assert all(least[what] <= needed[what] for what in needed)


def test_no_memory_stays_where_another_target_put_it():
    g, rng = IntegerGraph((8, 8, 64), "UINT8"), np.random.default_rng(1)
    bits = g.threshold(g.image, rng.integers(1, 255, (64, 1)), bits=True)
    table = g.lookup(g.image, rng.integers(-8, 8, (64, 256)), -8)
    product = g.product(bits, rng.choice([-1, 1], (64, 64)), True)
    integer = g.model(g.add(product, table))
    ImageInput("uint8", (64, 8, 8), "NHWC", False).save_to(integer)
    hardware = lower.lower(integer)
    fold.fold_to_cycles(hardware, 4096)
    memories = [op for op in operators(hardware) if op.block_memory()]
    assert {op.onnx_node.op_type for op in memories} == {"MVAU_sf", "Lookup_sf"}
    fresh = fit.estimate(hardware)
    for op in memories:
        op.set_nodeattr("ram_style", "distributed")
    assert fit.estimate(hardware)["BRAM18"] == 0
    fold.fold_to_cycles(hardware, 4096)
    assert fit.estimate(hardware) == fresh


def test_latency_is_given_up_where_nothing_else_fits(hardware):
    slow, needed = 10**7, []
    for latency in (True, False):
        fold.fold_to_cycles(hardware, slow, latency=latency)
        needed.append(fit.buffered_cost(hardware)["LUT"])
    assert needed[1] < needed[0]
    small, fps = replace(board("pynq-z2"), lut=sum(needed) // 2), board("pynq-z2").clock_mhz * 1e6 / slow
    fit.fold_to_fps(hardware, small, fps)
    assert fit.buffered_cost(hardware)["LUT"] == needed[1] <= small.lut


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MVAU_sf_1": {"PE": 5}}, r"MVAU_sf_1: PE = 5 is illegal, it must be one of \[1, 2, 4, 8\]; the nearest is 4"),
        ({"MVAU_sf_1": {"SIMD": 70}}, r"SIMD = 70 is illegal.*the nearest is 72"),
        ({"MVAU_sf_1": {"PE": "four"}}, "PE = 'four' is illegal"),
        (
            {"MVAU_sf_99": {"PE": 1}},
            "folding names node 'MVAU_sf_99'; the network has ConvolutionInputGenerator_sf_0, MVAU_sf_0",
        ),
        ({"MVAU_sf_1": {"WIDTH": 1}}, "no folding attribute 'WIDTH'; it has SIMD, PE, ram_style"),
        ({"ConvolutionInputGenerator_sf_1": {"SIMD": 2, "parallel_window": 1}}, r"parallel_window = 1 needs SIMD = 8"),
    ],
)
def test_illegal_foldings(hardware, change, message):
    with pytest.raises(FoldingError, match=message):
        fold.apply_folding(hardware, change)


def test_impossible_targets(hardware):
    with pytest.raises(FoldingError, match=r"MVAU_sf_0 .*needs at least .* cycles an image, the target is 100"):
        fit.fold_to_fps(hardware, board("pynq-z2"), 1e6)
    with pytest.raises(FoldingError, match="less than one cycle"):
        fit.fold_to_fps(hardware, board("pynq-z2"), 1e12)
    message = r"\d+ LUT of 400 \(80%\).*does not fit pynq-z2 \(xc7z020clg400-1\).*larger board"
    with pytest.raises(FoldingError, match=message):
        fit.fold_to_board(hardware, replace(board("pynq-z2"), lut=500))


def test_unknown_board():
    with pytest.raises(ValueError, match="unknown board 'zynq'; known boards: pynq-z1, pynq-z2"):
        board("zynq")


def test_folding_file_round_trip(hardware, tmp_path):
    fold.fold_to_cycles(hardware, 9000)
    flow.write_json(fold.folding_of(hardware), tmp_path / "f.json")
    wanted = fold.folding_of(hardware)
    fold.fold_to_cycles(hardware, 50_000)
    fold.apply_folding(hardware, fold.read_folding(tmp_path / "f.json"))
    assert fold.folding_of(hardware) == wanted
    (tmp_path / "bad.json").write_text(json.dumps([1]))
    with pytest.raises(FoldingError, match="not a folding file"):
        fold.read_folding(tmp_path / "bad.json")


def test_weights_go_to_ultraram_where_block_ram_is_short_and_they_can_be_loaded(hardware):
    """Of a board with 8 UltraRAMs; one that has enough block RAM leaves them free."""
    tight, rate = replace(board("kv260"), bram18=4), 10_000
    fit.fold_to_fps(hardware, tight, rate)
    assert fit.estimate(hardware)["URAM"] == 0
    for op in operators(hardware):
        op.set_nodeattr("loadable", 1)
    fit.fold_to_fps(hardware, replace(tight, bram18=500), rate)
    plenty = fit.buffered_cost(hardware)
    assert plenty["URAM"] == 0 and plenty["BRAM18"] > 4
    fit.fold_to_fps(hardware, replace(tight, uram=8), rate)
    needed, styles = fit.buffered_cost(hardware), [op.folding().get("ram_style") for op in operators(hardware)]
    assert 0 < needed["URAM"] <= 8 and needed["BRAM18"] <= 0.9 * 4 and styles.count("ultra") > 0
    assert needed["URAM"] == sum(op.uram_estimation() for op in operators(hardware))
    for op in operators(hardware):
        if op.folding().get("ram_style") == "ultra":
            width, depth = op.macs_per_cycle(), op.memory_bits() // op.macs_per_cycle()
            assert op.uram_estimation() == -(-width // 72) * -(-depth // 4096) and op.bram_estimation() == 0


def test_weights_that_no_memory_of_the_board_holds_are_the_reason(hardware):
    weights = sum(op.memory_bits() for op in operators(hardware)) / 2**20
    assert 0.01 < weights < 0.1  # FINN's CNV at 1/8 width
    small = replace(board("kv260"), lut=100, bram18=1, uram=0)
    with pytest.raises(FoldingError, match=rf"its weights are {weights:.1f} Mbit of 0.0 Mbit on chip \(block RAM\)"):
        fit.fold_to_fps(hardware, small, 100)
    with pytest.raises(FoldingError, match=r"\(block RAM; built with --loadable, 18.0 Mbit more in UltraRAM\)"):
        fit.fold_to_fps(hardware, replace(small, uram=64), 100)
    with pytest.raises(FoldingError) as refused:
        fit.fold_to_fps(hardware, replace(small, bram18=288), 100)
    assert "Mbit" not in str(refused.value)

"""Folding: only legal values, targets met, errors that name the nearest legal value."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signflow.deploy import flow
from signflow.deploy.compile import lower
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.plan import choose, fit, fold
from signflow.deploy.plan.choose import AIMS, GAP, UNBOUNDED, Aim, Choices
from signflow.deploy.plan.graph import operators
from signflow.deploy.plan.timing import predict
from signflow.hw.boards import board
from signflow.hw.ops.folding import RESOURCES, FoldingError, divisors, need


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


def price(whole: Choices, chosen: list[int], aim=AIMS["balance"]) -> float:
    """What `choose` minimises."""
    needed, taken = whole.need(chosen), zip(whole.ops, whole.options, chosen, strict=True)
    waits = sum(options[k].cycles for op, options, k in taken if op.macs_per_cycle())
    return aim.lut * needed["LUT"] + aim.bram18 * needed["BRAM18"] + aim.cycle * waits


def test_slower_targets_never_cost_more(hardware):
    whole, costs = Choices(hardware), []
    for target in (2000, 4000, 8000, 16000, 64000):
        costs.append(price(whole, whole.best(target, UNBOUNDED)))
    assert all(slow <= fast * (1 + GAP) for fast, slow in itertools.pairwise(costs)) and costs[0] > 1.1 * costs[-1]


def test_no_single_change_of_a_choice_is_better(hardware):
    whole, budget = Choices(hardware), UNBOUNDED | {"BRAM18": 12}
    chosen = whole.best(3000, budget)
    best = price(whole, chosen)
    assert whole.need(chosen)["BRAM18"] <= 12
    for i, options in enumerate(whole.options):
        for k, option in enumerate(options):
            other = [*chosen[:i], k, *chosen[i + 1 :]]
            if option.cycles <= 3000 and whole.need(other)["BRAM18"] <= 12:
                assert price(whole, other) >= best / (1 + GAP)


def test_what_an_option_says_is_what_the_operator_says(hardware):
    whole = Choices(hardware)
    for op, options in zip(whole.ops, whole.options, strict=True):
        before = op.folding()
        for option in options[:: max(1, len(options) // 19)]:
            for attribute, value in option.values.items():
                op.set_nodeattr(attribute, value)
            lut, *rest = need(op)
            assert (option.cycles, option.need) == (op.get_exp_cycles(), (lut + op.plumbing(), *rest))
            assert option.taken == tuple(op.get_folded_input_shape(i)[-1] // op.pixels() for i in range(op.IN_STREAMS))
            assert option.given == tuple(
                op.get_folded_output_shape(i)[-1] // op.pixels() for i in range(op.OUT_STREAMS)
            )
            op.rtl_instance(hardware)  # raises what its module does not take
        for attribute, value in before.items():
            op.set_nodeattr(attribute, value)
        assert op.options() == options or op in (whole.ops[0], whole.ops[-1])


def test_board_folding_is_the_fastest_that_fits(hardware):
    small = replace(board("pynq-z2"), lut=3000)
    fit.fold_to_board(hardware, small)
    needed, interval = fit.buffered_cost(hardware), fold.interval(hardware)
    assert 0.7 * 2400 < needed["LUT"] <= 0.8 * 3000
    whole, budget = Choices(hardware), {"LUT": 2400, "BRAM18": 0.9 * 280, "DSP": 0, "URAM": 0}
    faster = [target for target in whole.targets() if target < interval]
    assert faster
    if (chosen := whole.best(faster[-1], budget)) is not None:  # with FIFOs in which few words wait
        whole.apply(chosen)
        assert fit.buffered_cost(hardware)["LUT"] > 2400


def test_what_is_needed_is_near_what_was_thought(hardware):
    for target in (1500, 6000, 40_000):
        whole = Choices(hardware)
        whole.apply(chosen := whole.best(target, UNBOUNDED))
        thought, needed = whole.need(chosen), fit.buffered_cost(hardware)
        assert 0.9 < thought["LUT"] / needed["LUT"] <= 1.01
        plain = fit.estimate(hardware)
        assert plain["LUT"] < thought["LUT"] and all(plain[what] == thought[what] for what in RESOURCES[1:])


def test_fewest_luts_and_lowest_latency(hardware):
    pynq, found = board("pynq-z2"), {}
    for prefer in AIMS:
        fit.fold_to_board(hardware, pynq, prefer=prefer)
        fastest = fold.interval(hardware)
        found[prefer] = predict(operators(fit.buffered(hardware))).latency
        fit.fold_to_fps(hardware, pynq, 1e8 / (8 * fastest), prefer)
        assert fold.interval(hardware) <= 8 * fastest
        found[prefer, "LUT"] = fit.buffered_cost(hardware)["LUT"]
    assert found["latency"] <= min(found["luts"], found["balance"]) and found["latency"] < found["luts"]
    assert found["luts", "LUT"] < found["balance", "LUT"] < found["latency", "LUT"]


def test_dsp_blocks_cost_nothing(monkeypatch):
    """A product of integers of many bits needs some."""
    seen, rng = [], np.random.default_rng(0)
    monkeypatch.setattr(choose, "solve", lambda parts, *_: seen.extend(parts))
    made = IntegerGraph((16,), "UINT8")
    integer = made.model(made.product(made.image, rng.integers(-99, 99, (16, 4)), False))
    ImageInput("uint8", (16,), "flat", False).save_to(integer)
    assert Choices(lower.lower(integer)).best(10_000, UNBOUNDED, Aim(2, 3, 5, 0)) is None
    lut, bram18, dsp, uram = np.concatenate([part.need for part in seen]).T
    assert (np.concatenate([part.price for part in seen]) == 2 * lut + 3 * bram18 + 5 * uram).all() and dsp.any()


def test_an_unknown_preference(hardware):
    with pytest.raises(FoldingError, match="prefer = 'speed'; it must be one of balance, luts, latency"):
        fit.fold_to_board(hardware, board("pynq-z2"), prefer="speed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"MVAU_sf_1": {"PE": 5}},
            r"MVAU_sf_1: PE = 5 is illegal, it must be one of \[1, 2, 3, 4, 8\]; the nearest is 4",
        ),
        ({"MVAU_sf_1": {"SIMD": 70}}, r"SIMD = 70 is illegal.*the nearest is 72"),
        ({"MVAU_sf_1": {"PE": "four"}}, "PE = 'four' is illegal.*choose one"),
        ({"MVAU_sf_8": {"PE": 4}}, r"MVAU_sf_8: words of 4 do not divide the 10 elements of a vector of .* output"),
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


def test_ultraram_in_a_folding_file_needs_weights_that_are_loaded(hardware):
    change = json.loads('{"MVAU_sf_1": {"ram_style": "ultra"}}')
    with pytest.raises(FoldingError, match=r"ram_style = 'ultra' is illegal.*UltraRAM: build with --loadable"):
        fold.apply_folding(hardware, change)


def test_what_is_larger_than_thought_is_chosen_again_eight_times(hardware):
    """The FIFOs of the choice that is made again and again never fit."""
    whole, tight, budgets = Choices(hardware), replace(board("pynq-z2"), lut=500), []
    chosen = whole.best(10_000, UNBOUNDED)

    def choose(budget: dict[str, float]) -> list[int]:
        budgets.append(budget["LUT"])
        return chosen

    with pytest.raises(fit.TooLargeError):
        fit._settle(hardware, whole, tight, fit.ALL, 10_000, choose)
    assert budgets == [500, *[500 - (fit.buffered_cost(hardware)["LUT"] - whole.need(chosen)["LUT"])] * 7]


def test_impossible_targets(hardware):
    with pytest.raises(
        FoldingError, match=r"ConvolutionInputGenerator_sf_0 .*needs at least 1024 cycles an image, .* 100"
    ):
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


def test_weights_go_to_ultraram_where_the_rest_is_short_and_they_can_be_loaded(hardware):
    """Of a board with 8 UltraRAMs; one that has enough block RAM leaves them free."""
    tight, rate = replace(board("kv260"), bram18=2), 10_000
    fit.fold_to_fps(hardware, tight, rate)
    assert fit.estimate(hardware)["URAM"] == 0
    for op in operators(hardware):
        op.set_nodeattr("loadable", 1)
    fit.fold_to_fps(hardware, replace(tight, bram18=500), rate)
    plenty = fit.buffered_cost(hardware)
    assert plenty["URAM"] == 0 and plenty["BRAM18"] > 2
    tight = replace(tight, lut=int(0.94 * plenty["LUT"]), uram=8)
    fit.fold_to_fps(hardware, tight, rate)
    needed, styles = fit.buffered_cost(hardware), [op.folding().get("ram_style") for op in operators(hardware)]
    assert 0 < needed["URAM"] <= 8 and needed["BRAM18"] <= 0.9 * tight.bram18 and styles.count("ultra") > 0
    assert needed["URAM"] == sum(op.uram_estimation() for op in operators(hardware))
    for op in operators(hardware):
        if op.folding().get("ram_style") == "ultra":
            width, depth = op.macs_per_cycle(), op.memory_bits() // op.macs_per_cycle()
            assert op.uram_estimation() == -(-width // 72) * -(-depth // 4096) and op.bram_estimation() == 0


def test_all_ultrarams_may_be_taken():
    needed = dict.fromkeys(RESOURCES, 0) | {"URAM": 64}
    fit._check(needed, board("kv260"), fit.ALL, [])
    with pytest.raises(FoldingError, match=r"65 URAM of 64 \(100%\)"):
        fit._check(needed | {"URAM": 65}, board("kv260"), fit.ALL, [])


def test_weights_that_no_memory_of_the_board_holds_are_the_reason(hardware):
    weights = sum(op.memory_bits() for op in operators(hardware)) / 2**20
    assert 0.01 < weights < 0.1  # FINN's CNV at 1/8 width
    small = replace(board("kv260"), lut=100, bram18=1, uram=0)
    with pytest.raises(FoldingError, match=rf"its weights are {weights:.1f} Mbit of 0.0 Mbit on chip \(block RAM\)"):
        fit.fold_to_fps(hardware, small, 100)
    with pytest.raises(FoldingError, match=r"larger board, or build with --loadable: 64 UltraRAMs hold weights then$"):
        fit.fold_to_fps(hardware, replace(small, uram=64), 100)
    with pytest.raises(FoldingError) as refused:
        fit.fold_to_fps(hardware, replace(small, bram18=288, uram=64), 100)
    assert "Mbit" not in str(refused.value) and "UltraRAM" not in str(refused.value)


@pytest.fixture
def sixteen_bytes():
    """A hardware graph of one operator, the signs of 16 bytes."""
    made = IntegerGraph((16,), "UINT8")
    integer = made.model(made.threshold(made.image, np.full((16, 1), 128)))
    ImageInput("uint8", (16,), "flat", False).save_to(integer)
    return lower.lower(integer)


def test_the_input_word_is_no_wider_than_it_may_be(sixteen_bytes):
    """64 bits if nobody says otherwise, or what the board's link carries."""
    link = board("pynq-z2")
    assert link.widest_beat == 128
    for fold_to in (
        lambda bits, cycles: fold.fold_to_cycles(sixteen_bytes, cycles, bits),
        lambda bits, cycles: fit.fold_to_fps(sixteen_bytes, link, link.clock_mhz * 1e6 / cycles, stream_bits=bits),
    ):
        for bits, least in ((8, 16), (63, 4), (64, 2), (127, 2)):
            fold_to(bits, least)
            assert operators(sixteen_bytes)[0].get_instream_width() == 8 * 16 // least
            with pytest.raises(FoldingError):
                fold_to(bits, least - 1)
    fold.fold_to_cycles(sixteen_bytes, 2)
    with pytest.raises(FoldingError):
        fold.fold_to_cycles(sixteen_bytes, 1)
    fit.fold_to_fps(sixteen_bytes, link, link.clock_mhz * 1e6)

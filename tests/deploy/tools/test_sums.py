"""Sums proved as polynomials: right ones of any width hold, a wrong one is refuted by inputs that show it."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.deploy.tools import mutants, prove, sums
from signflow.hw.ops.compress import popcount, popcount_of_constants

FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def case(places, group=0):
    words = f"SIMD={places} GROUP={group} STAGES={popcount(places, group)[0]}"
    return prove.Case("sf_dot_binary", words, sums=True)


@FEW
@given(st.integers(1, 300), st.sampled_from([0, 2, 6]))
def test_popcounts_of_any_width_hold(tmp_path_factory, places, group):
    places = places if group == 0 else -(-places // group) * group
    steps = f"SIMD={places} GROUP={group} PE=1 STEPS=3 STAGES={popcount_of_constants(places, group)[0]}"
    chosen = [case(places, group), prove.Case("sf_dot_steps", steps, sums=True)]
    for found in prove.prove(chosen, tmp_path_factory.mktemp("proofs")):
        assert found.proved and found.how == "polynomials", found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{1'b1, weights_i[u", "{1'b0, weights_i[u"),  # the place that is missing beside the last one agrees
        ("AT = 2*(r*CHAIN + k)", "AT = 2*k"),  # the second row counts the first pair again
    ],
)
def test_a_fault_is_refuted_by_inputs(tmp_path, old, new):
    """Where all bits and weights of 17 places are 0 they agree, and these count 18."""
    faulty = mutants.Mutant("sf_dot_binary", old, new).write(tmp_path)
    (found,) = prove.prove([case(17)], tmp_path, rtl=[faulty])
    assert not found.proved
    assert found.refuted == {"value": "wrong by 1 modulo 32 where of all inputs these are 1: none"}


def test_what_is_no_sum_is_not_decided(tmp_path):
    """Signs are extended, so that their bits have more than one weight."""
    (found,) = prove.prove([prove.Case("sf_adder_tree", "N=4 WIDTH=2", sums=True)], tmp_path)
    assert not found.proved
    assert found.undecided == {"value": "not a sum: the bits of a $add are not used as one number"}


def test_a_table_of_unknown_bits_is_no_sum():
    cell = {"type": "sf_lut_pair", "parameters": {"TABLES": "x" * 64}, "connections": {"in_i": [2], "out_o": [4, 5]}}
    with pytest.raises(sums.NotASum, match="a table is xx"):
        sums.difference(netlist(half=cell, add=add([6, 7])), "got", "want")


def netlist(**cells):
    """Outputs y of two bits and q, a shift register of z, from inputs a and b; by hand."""
    nets = {"a": [2], "b": [3], "got": [4, 5], "want": [6, 7]}
    return {"netnames": {name: {"bits": bits} for name, bits in nets.items()}, "cells": cells}


def add(y):
    return {"type": "$add", "connections": {"A": [2, "0"], "B": [3, "0"], "Y": y}, "parameters": {}}


def test_by_hand():
    table = 0x88888888_66666666  # a & b above a ^ b: a half adder
    half = {"type": "sf_lut_pair", "parameters": {"TABLES": f"{table:064b}"}}
    half["connections"] = {"in_i": [2, 3, "0", "0", "0"], "out_o": [4, 5]}
    assert sums.difference(netlist(half=half, add=add([6, 7])), "got", "want") == ""
    half["parameters"] = {"TABLES": f"{0xEEEEEEEE_66666666:064b}"}  # a | b: wrong where one is 1
    assert "wrong by 2 modulo 4 where of all inputs these are 1: a[0] 0 cycles ago" in sums.difference(
        netlist(half=half, add=add([6, 7])), "got", "want"
    )
    with pytest.raises(sums.NotASum, match="registers make a loop"):
        loop = {"type": "$dff", "connections": {"D": [4], "Q": [4]}, "parameters": {}}
        sums.difference(netlist(loop=loop, add=add([6, 7])), "got", "want")

"""What is said where a board's link is slower than the accelerator."""

import pytest
from rich.console import Console

from signflow.deploy.command.show import link


def said(board: str, words: int, bits: int, interval: int) -> str:
    facts = {"board": board, "clock_mhz": 100.0, "predicted": {"interval": interval, "latency": 1000}}
    facts |= {"input": {"stream_bits": bits, "words": words}, "output": {"stream_bits": 64, "words": 1}}
    console = Console(width=200, record=True, quiet=False)
    link(console, facts)
    return console.export_text()


@pytest.mark.parametrize(("words", "bits", "interval"), [(49, 128, 49), (98, 64, 98), (13, 64, 13)])
def test_a_link_that_keeps_pace_needs_no_word(words, bits, interval):
    assert said("pynq-z2", words, bits, interval) == ""


def test_the_core_alone():
    text = said("pynq-z2", 16, 392, 16)  # words of 392 bits are 512 in memory, four beats of 128
    assert "the core alone: the link of pynq-z2 carries 128 bits at a time, an image takes 64 cycles" in text
    assert "1,562,500 images/s" in text


def test_a_serial_line():
    assert "an image takes 392,000 cycles there = 255 images/s" in said("ulx3s", 784, 8, 784)

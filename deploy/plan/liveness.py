"""No deadlock: a proof for one folded graph and the FIFO depths that it has, whatever its data and whoever stalls.

Every operator is taken for as little as its contract promises (`hw/proofs`, `signflow prove`): it takes the words that
its next output word needs and no more, offers that word, keeps it until all readers have it, and goes on. One without a
register in between leaves the word at its input meanwhile. How many words of each input word k of its output needs, and
which words of several inputs it takes together, its timing says when one word comes in an eternity. A FIFO takes words
until it holds its depth.

Every stream has one writer and one reader, and they wait for nothing but words and room. So what one operator can do no
other takes away: moves commute, and every order of them, every timing, every stall comes to the same moves in the end
(Keller, "A fundamental theorem of asynchronous parallel computation", 1975). One order is enough, therefore: `standing`
sends one image through the graph, alone. Where it comes out whole and no operator holds a word any more, the graph is
where it was, so it never stands still, for any number of images. What room the real operators have besides only adds
moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from signflow.deploy.plan.graph import reads, writes
from signflow.deploy.plan.schedule import ETERNITY
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.fifo import StreamingFIFO_sf


@dataclass
class _Stream:
    """A tensor of one image between two operators; None is the world outside, which gives and takes at once."""

    words: int
    taken: int = 0
    writer: "_Actor | None" = None
    reader: "_Actor | None" = None

    def there(self) -> int:
        """Words that its reader has, or may take now."""
        return self.words if self.writer is None else self.writer.offered(self)


class _Actor:
    """An operator as its contract has it."""

    def __init__(self, op: StreamOp, ins: list[_Stream], outs: list[_Stream]):
        self.name, self.ins, self.outs = op.onnx_node.name, ins, outs
        self.depth = op.get_nodeattr("depth") if isinstance(op, StreamingFIFO_sf) else 0
        self.needs: list[list[int]] = []
        """For each input, the words that word k of the output needs."""
        self.registers = True
        """Input words are taken before the output word is offered, not with it."""
        self.beside: dict[tuple[int, int], list[int]] = {}
        """(input, other input): words of the other one that must be there when word k of the input is taken."""
        for i, stream in enumerate(ins):
            alone = [np.zeros(other.words, np.int64) for other in ins]
            alone[i] = np.arange(1, stream.words + 1) * ETERNITY
            taken, offered = op.both(*alone)
            self.needs.append((offered // ETERNITY).tolist())
            self.registers &= (offered % ETERNITY).min() > 0
            self.beside |= {(k, i): (taken[k] // ETERNITY).tolist() for k in range(len(ins)) if k != i}
        for stream in outs:
            stream.words, stream.writer = len(self.needs[0]), self
        for stream in ins:
            stream.reader = self

    def given(self) -> int:
        """Words that all readers have."""
        return min(stream.taken for stream in self.outs)

    def offered(self, stream: _Stream) -> int:
        """Words of an output that its reader has, or may take now: of a FIFO all, of others the next one."""
        if self.depth:
            return self.ins[0].taken
        word = stream.taken
        if word == stream.words or word > self.given():
            return word
        ready = zip(self.ins, self.needs, strict=True)
        return word + all((s.taken if self.registers else s.there()) >= needs[word] for s, needs in ready)

    def takes(self, i: int) -> bool:
        """Take the next word of input ``i``, where there is one and it is wanted; whether it did."""
        stream, given = self.ins[i], self.given()
        word = stream.taken
        if self.depth:
            wanted = given + self.depth
        elif given == self.outs[0].words:
            wanted = stream.words
        else:
            wanted = self.needs[i][given] if self.registers else given and self.needs[i][given - 1]
        if word >= min(wanted, stream.there()):
            return False
        others = ((other, self.beside[i, k]) for k, other in enumerate(self.ins) if k != i)
        if any(other.there() < needed[word] for other, needed in others):
            return False
        stream.taken += 1
        return True


def standing(ops: Sequence[StreamOp]) -> list[str]:
    """The operators of a folded graph with its FIFOs (in the order of the graph) that hold words for good, or wait for
    some, when one image goes through alone: none where no deadlock is possible.
    """
    actors, streams = _actors(ops)
    waiting = dict.fromkeys(actors)  # in order
    while waiting:
        actor = next(iter(waiting))
        del waiting[actor]
        moved = False
        while any(actor.takes(i) for i in range(len(actor.ins))) or _leaves(actor):
            moved = True
        if moved:
            waiting |= dict.fromkeys(stream.writer for stream in actor.ins if stream.writer is not None)
        if moved or not actor.registers:
            waiting |= dict.fromkeys(stream.reader for stream in actor.outs if stream.reader is not None)
    stuck = {id(a): a.name for s in streams if s.taken < s.words for a in (s.writer, s.reader) if a is not None}
    return [actor.name for actor in actors if id(actor) in stuck]


def _leaves(actor: _Actor) -> bool:
    """The world outside takes a word of an output."""
    moved = False
    for stream in actor.outs:
        if stream.reader is None and (there := actor.offered(stream)) > stream.taken:
            stream.taken, moved = there, True
    return moved


def _actors(ops: Sequence[StreamOp]) -> tuple[list[_Actor], list[_Stream]]:
    """One actor for each operator, and the streams between them."""
    streams: dict[str, _Stream] = {}
    actors = []
    for op in ops:
        ins = []
        for k, tensor in enumerate(reads(op)):
            words = int(np.prod(op.get_folded_input_shape(k)[:-1]))
            ins.append(streams.setdefault(tensor, _Stream(words)))
        outs = [streams.setdefault(tensor, _Stream(0)) for tensor in writes(op)]
        actors.append(_Actor(op, ins, outs))
    return actors, list(streams.values())

"""A schedule in which few words wait: FIFOs need not be deeper than it makes them (`signflow.deploy.plan.buffer`).

`signflow.deploy.plan.timing` says when words come if every operator starts as soon as it can. Then the words of an
image wait in front of the slowest operator, for nothing: it would be as fast if they came just in time. So the images
come late here: the graph is walked backwards, and from when the words of the last operator leave follows when each word
of its inputs must be taken at the latest, so when the operator in front must have offered it, and so on to the input.
From there on every operator starts as soon as it can again.

When must word k of an input be taken at the latest, if word j of the output is due at D[j]? An operator alone, given
one word in an eternity, shows which word makes it offer j, and how many cycles later. Given all words at once, it shows
how far words of its output lie apart at least. Both together give a time for each word. Whether the operator, taking
its words then, is in time, is tried; where it is not, because it waits for room of its own, no word is taken more than
some cycles later than it could be: the largest number of cycles that is in time.

Last, operators that hold their words (`StreamOp.hold`: those with a memory, or where a word in the output register
stops all others) offer each of them when its reader takes it; those that only carry words on take them as late. A fork
takes a word when the first of its readers wants it: what waits for both, a frame where one of them needs a sum over all
positions first, waits once, in front of it.
"""

from collections.abc import Sequence

import numpy as np

from signflow.deploy.plan.graph import reads, writes
from signflow.deploy.plan.timing import Step, frame_words, step, trace
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.duplicate import Duplicate_sf
from signflow.hw.ops.dwc import StreamingDataWidthConverter_sf
from signflow.hw.ops.fifo import StreamingFIFO_sf
from signflow.hw.ops.interleave import Interleave_sf

ETERNITY = 1 << 32
"""Cycles in which everything comes to rest."""
NEVER = 1 << 60
PASSING = StreamingDataWidthConverter_sf, Interleave_sf, Duplicate_sf
"""Operators that only carry words on: they may as well wait in front."""


def schedule(ops: Sequence[StreamOp], arrivals: np.ndarray) -> list[Step]:
    """One step for each of ``ops``, FIFOs among them, when input words are there from cycles ``arrivals`` on, whole
    images. The words of the last operator leave as in `trace`.
    """
    return _held(ops, trace(ops, _just_in_time(ops, trace(ops, arrivals))))


def _just_in_time(ops: Sequence[StreamOp], early: Sequence[Step]) -> np.ndarray:
    """Latest cycles of the input words with which the words of the last operator leave as in ``early``."""
    due, reader = {writes(ops[-1])[0]: early[-1].departures}, _readers(ops)
    for op, first in zip(reversed(ops), reversed(early), strict=True):
        deadline = np.minimum.reduce([due.pop(tensor) for tensor in writes(op)])
        if op.holds() and op.room() and writes(op)[0] in reader:
            deadline = _without_fifo(op, deadline, first, *_behind(ops, reader, writes(op)[0]))
        due |= dict(zip(reads(op), _latest(op, deadline, first), strict=True))
    return due[reads(ops[0])[0]]


def _without_fifo(op: StreamOp, deadline: np.ndarray, early: Step, behind: StreamOp, stream: int) -> np.ndarray:
    """Deadlines of ``op``, which holds its words, with which its reader ``behind`` takes each before the next must be
    there: word j + 1 + BEHIND comes after word j has left, and is so many cycles apart from the one before it. As they
    were where that is too early for ``op``: a FIFO is needed.
    """
    frames, ahead = len(deadline) // frame_words(behind, stream), 1 + op.BEHIND
    pace = behind.both(*[np.zeros(frames * frame_words(behind, i), np.int64) for i in range(behind.IN_STREAMS)])[0]
    low = _least_behind(deadline - pace[stream])
    together = op.timing(np.zeros_like(early.accepts[0]))
    more = together[ahead:] - together[op.BEHIND : -1] + op.BEHIND - (pace[stream][ahead:] - pace[stream][:-ahead])
    for k in np.flatnonzero(more > 0)[::-1]:
        bound = low[k + ahead] - more[k]
        low[np.searchsorted(low[: k + 1], bound) : k + 1] = bound
    apart = low + pace[stream]
    return apart if (apart >= early.departures).all() else deadline


def _latest(op: StreamOp, deadline: np.ndarray, early: Step) -> list[np.ndarray]:
    """Latest cycles in which ``op`` takes its words and offers word j not after ``deadline[j]``, as in ``early``."""
    if (delay := op.delay()) is not None:
        k = np.arange(len(deadline))
        late = k + _least_behind(deadline - delay - k)
        return [np.maximum(late, taken) for taken in early.accepts]
    together = op.timing(*[np.zeros_like(taken) for taken in early.accepts])
    apart = np.maximum(together + _least_behind(deadline - together), early.departures)
    late = [np.maximum(_inputs(op, apart, stream), taken) for stream, taken in enumerate(early.accepts)]

    def within(cycles: int) -> list[np.ndarray]:
        return [np.minimum(most, taken + cycles) for most, taken in zip(late, early.accepts, strict=True)]

    good, bad = 0, int(max((most - taken).max() for most, taken in zip(late, early.accepts, strict=True))) + 1
    tried = bad - 1
    while bad - good > 1:
        good, bad = (tried, bad) if (op.timing(*within(tried)) <= deadline).all() else (good, tried)
        tried = (good + bad) // 2
    return step(op, within(good)).accepts


def _inputs(op: StreamOp, deadline: np.ndarray, stream: int) -> np.ndarray:
    """Latest cycle for each word of an input stream, from what word of a frame makes it offer which, how much later."""
    words = [frame_words(op, i) for i in range(op.IN_STREAMS)]
    alone = [np.arange(1, n + 1, dtype=np.int64) * (ETERNITY if i == stream else 0) for i, n in enumerate(words)]
    cause, delay = np.divmod(op.timing(*alone), ETERNITY)
    first = np.flatnonzero(np.diff(cause, prepend=0))  # of those that one word causes; 0: words of other streams alone
    due = deadline.reshape(-1, len(cause)) - delay
    needed = np.full((len(due), words[stream]), NEVER)
    needed[:, cause[first] - 1] = np.minimum.reduceat(due[:, first[0] :], first - first[0], axis=1)
    k = np.arange(needed.size)
    late = k + _least_behind(needed.ravel() - k)
    end = np.flatnonzero(needed.ravel() < NEVER)[-1]  # words behind it change nothing
    late[end:] = late[end] + k[end:] - end
    return late


def _least_behind(values: np.ndarray) -> np.ndarray:
    """Smallest value from each place on."""
    return np.minimum.accumulate(values[::-1])[::-1]


def _held(ops: Sequence[StreamOp], steps: list[Step]) -> list[Step]:
    """``steps``, in which operators that hold their words offer them when the readers behind the FIFOs take them."""
    steps, reader = list(steps), _readers(ops)
    for i, op in reversed(list(enumerate(ops))):
        passes = isinstance(op, PASSING)
        if not (op.holds() or passes) or writes(op)[0] not in reader:
            continue
        leave = np.minimum.reduce([_taken_behind(ops, steps, reader, tensor) for tensor in writes(op)])
        if passes:
            steps[i] = step(op, _latest(op, leave, steps[i]))
        if not op.holds():
            continue
        accepts, offered = op.hold(steps[i].accepts[0], leave)
        if (offered <= leave).all():
            steps[i] = Step([accepts], leave, held=True)
    return steps


def _readers(ops: Sequence[StreamOp]) -> dict[str, tuple[int, int]]:
    """Tensor -> (index of the operator that reads it, its input stream)."""
    return {tensor: (i, k) for i, op in enumerate(ops) for k, tensor in enumerate(reads(op))}


def _behind(ops: Sequence[StreamOp], reader: dict[str, tuple[int, int]], tensor: str) -> tuple[StreamOp, int]:
    """The operator that reads ``tensor``, and its input stream; not a FIFO that is only thought of."""
    behind, stream = reader[tensor]
    if isinstance(ops[behind], StreamingFIFO_sf) and not ops[behind].delay():
        behind, stream = reader[writes(ops[behind])[0]]
    return ops[behind], stream


def _taken_behind(
    ops: Sequence[StreamOp], steps: Sequence[Step], reader: dict[str, tuple[int, int]], tensor: str
) -> np.ndarray:
    """Latest cycles in which words of ``tensor`` enter the FIFO behind, and leave it as in ``steps``."""
    behind, stream = reader[tensor]
    fifo = ops[behind]
    if not isinstance(fifo, StreamingFIFO_sf):
        return steps[behind].accepts[stream]
    behind, stream = reader[writes(fifo)[0]]
    return steps[behind].accepts[stream] - int(fifo.timing(np.zeros(1, np.int64))[0])

"""Both ends of a stream in Python, for designs that `signflow.hw.sim.pins` clocks cycle by cycle."""

import random


class Source:
    """Offers items in order; a pause ends at random, an offered item stays until it is taken."""

    def __init__(self, items, stall: float, seed: int):
        self.items, self.stall, self.random = list(items), stall, random.Random(seed)
        self.taken, self.offered = 0, False

    def offer(self):
        """The item offered in this cycle, or None."""
        more = self.taken < len(self.items)
        self.offered = more and (self.offered or self.random.random() >= self.stall)
        return self.items[self.taken] if self.offered else None

    def step(self, ready: int) -> bool:
        """End of the cycle; True if the item was taken."""
        moved = bool(self.offered and ready)
        self.taken += moved
        self.offered = self.offered and not moved
        return moved

    @property
    def done(self) -> bool:
        """Nothing left."""
        return self.taken == len(self.items)


class Sink:
    """Takes items; checks that an offered item stays as it is until it is taken."""

    def __init__(self, stall: float, seed: int):
        self.stall, self.random = stall, random.Random(seed)
        self.items, self.cycles, self.waiting, self.is_ready = [], [], None, False

    def ready(self) -> int:
        """Whether it takes an item in this cycle."""
        self.is_ready = self.random.random() >= self.stall
        return int(self.is_ready)

    def step(self, valid: int, item, cycle: int) -> bool:
        """End of the cycle; True if an item was taken."""
        if self.waiting is not None:
            assert valid and item == self.waiting, f"cycle {cycle}: {self.waiting} became {item if valid else None}"
        self.waiting = item if valid and not self.is_ready else None
        if valid and self.is_ready:
            self.items.append(item)
            self.cycles.append(cycle)
        return bool(valid and self.is_ready)

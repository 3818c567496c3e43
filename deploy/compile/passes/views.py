"""Views: tensors that hold the numbers of another one, their axes in another order, with or without axes of size 1.

A view of rank r says for each of its axes which axis of its base it shows, or None for one of size 1 that it adds; axes
of the base that it does not show have size 1. Transpose, Squeeze and Unsqueeze make views of views.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """The tensor ``base`` seen in another order."""

    base: str
    shape: tuple[int, ...]
    """Of the base."""
    axes: tuple[int | None, ...]
    """Axis of the base at each axis of the view."""

    @staticmethod
    def of(base: str, shape) -> "View":
        """The tensor itself."""
        return View(base, tuple(shape), tuple(range(len(shape))))

    def moved(self, base: str, shape) -> "View":
        """The same order of another base."""
        return View(base, tuple(shape), self.axes)

    def permuted(self, order) -> "View":
        """Behind a Transpose."""
        return View(self.base, self.shape, tuple(self.axes[i] for i in order))

    def squeezed(self, axes) -> "View":
        """Without some of its axes, of size 1."""
        return View(self.base, self.shape, tuple(a for i, a in enumerate(self.axes) if i not in axes))

    def unsqueezed(self, axes) -> "View":
        """With axes of size 1 at the places ``axes``."""
        shown, result = list(self.axes), []
        for place in range(len(self.axes) + len(axes)):
            result.append(None if place in axes else shown.pop(0))
        return View(self.base, self.shape, tuple(result))

    @property
    def shown(self) -> list[int]:
        """The axes of the base that matter, larger than 1, in the order of the view."""
        return [axis for axis in self.axes if axis is not None and self.shape[axis] != 1]

    @property
    def ordered(self) -> bool:
        """Read from front to back, it holds the numbers in the order of its base."""
        return self.shown == sorted(self.shown)

    @property
    def same(self) -> bool:
        """It is its base, axis by axis."""
        if len(self.axes) != len(self.shape):
            return False
        return all(
            a == i or (self.shape[i] == 1 and (a is None or self.shape[a] == 1)) for i, a in enumerate(self.axes)
        )

    def on_base(self, value: np.ndarray) -> np.ndarray | None:
        """A constant that the view is combined with, as its base is: broadcast to the view's rank, axes moved. None
        where it is larger than the view.
        """
        if value.ndim > len(self.axes):
            return None
        if value.size == 1:
            return value if value.ndim <= len(self.shape) else value.reshape(())
        value = value.reshape((1,) * (len(self.axes) - value.ndim) + value.shape)
        if any(n != 1 and (a is None or self.shape[a] == 1) for n, a in zip(value.shape, self.axes, strict=True)):
            return None
        wide = [axis for axis, n in zip(self.axes, value.shape, strict=True) if n != 1]
        result = np.squeeze(value).transpose(np.argsort(wide)) if wide else np.squeeze(value)
        return result.reshape([self.shape[a] if a in wide else 1 for a in range(len(self.shape))])

    def spread(self, values, nothing) -> list:
        """One entry per axis of the view, as entries per axis of its base."""
        result = [nothing] * len(self.shape)
        for axis, value in zip(self.axes, values, strict=True):
            if axis is not None:
                result[axis] = value
        return result

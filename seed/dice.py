"""Draws from a NumPy generator, one at a time and cheaply: the demo needs some two million of them.

All of the demo's chance comes through here, so that one number seeds it; nothing here knows what is drawn.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

_Item = TypeVar("_Item")
_BLOCK = 65_536


class Dice:
    """Uniform draws taken from the generator in blocks: asking it for one number costs thirty times as much."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._left: list[float] = []

    def throw(self) -> float:
        """A number in [0, 1)."""
        if not self._left:
            self._left = self._generator.random(_BLOCK).tolist()
        return self._left.pop()

    def has_luck(self, chance: float) -> bool:
        """True with a chance in [0, 1]."""
        return self.throw() < chance

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.throw() * (high - low + 1))

    def pick(self, items: Sequence[_Item]) -> _Item:
        """One of the items, all equally likely."""
        return items[int(self.throw() * len(items))]

    def bell(self, mean: float, spread: float) -> float:
        """Near enough a normal draw for ages and years: the sum of twelve throws (Irwin-Hall)."""
        return mean + spread * (sum(self.throw() for _ in range(12)) - 6)

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """The items in a random order."""
        keys = [self.throw() for _ in items]
        return [items[at] for at in sorted(range(len(items)), key=keys.__getitem__)]


class Urn(Generic[_Item]):
    """Items with weights, to be drawn from again and again."""

    def __init__(self, items: Sequence[_Item], weights: Sequence[float]) -> None:
        kept = [(item, weight) for item, weight in zip(items, weights, strict=True) if weight > 0]
        self.items = [item for item, _ in kept]
        self._bounds = list(accumulate(weight for _, weight in kept))

    def __bool__(self) -> bool:
        return bool(self.items)

    def draw(self, dice: Dice) -> _Item:
        """One item, as likely as its weight.

        Raises:
            IndexError: the urn is empty.
        """
        at = bisect_right(self._bounds, dice.throw() * self._bounds[-1])
        return self.items[min(at, len(self.items) - 1)]

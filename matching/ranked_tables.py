"""Many lists in one table: what `rank_many` and `reprice` give back and the measures read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING = -1


@dataclass(frozen=True, slots=True)
class RankedTable:
    """The lists of n people, best first: `ids` (n, k) int64 and `scores` (n, k) float32.

    A list that is shorter than k is padded at its end with id -1 and score 0. Neither array can be written to.
    Raises ValueError where the two do not have the same two-dimensional shape, or an id stands behind a gap.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        ids = np.ascontiguousarray(self.ids, np.int64).view()
        scores = np.ascontiguousarray(self.scores, np.float32).view()
        if ids.ndim != 2 or ids.shape != scores.shape:
            raise ValueError(f"ids and scores must have one shape (n, k): {ids.shape}, {scores.shape}")
        there = ids != NOTHING
        if np.any(there[:, 1:] & ~there[:, :-1]):
            raise ValueError("a list is padded at its end: no id may stand behind a -1")
        ids.flags.writeable = False
        scores.flags.writeable = False
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        """How many people have a list, empty ones included."""
        return len(self.ids)

    @property
    def k(self) -> int:
        """How many places a list has."""
        return int(self.ids.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many ids each list holds, shape (n,)."""
        return np.asarray(np.sum(self.ids != NOTHING, axis=1, dtype=np.int64))

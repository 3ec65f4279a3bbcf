"""How close a posting's work is to what a person wants and says they can do.

Closeness comes from the occupation: the same, one near it, or none of it. A title's words help where the occupation
does not say enough, above all where it is unknown.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np

from matching.market import Floats, Market, Rows
from matching.values import Seeker
from matching.weights import Weights, tree_closeness


def skill_of(seeker: Seeker, market: Market, rows: Rows, *, titles: "TitleWords", weights: Weights) -> Floats:
    """Closeness of n rows to what the person wants and can, shape (n,) in 0-1.

    From the best want: closeness x later_want per place down the list. Words shared between title and the person's own
    words close `text_share` of what is missing.
    """
    per_occupation = np.array([_closeness(seeker.wants, code, weights) for code in market.occupations.texts])
    close = per_occupation[rows["occupation"]] if len(per_occupation) else np.zeros(len(rows))
    if not seeker.skills_text:
        return close
    shared = titles.shared_with(seeker.skills_text)[rows["title"]]
    return np.asarray(close + (1 - close) * weights.text_share * shared)


def _closeness(wants: tuple[str, ...], offered: str, weights: Weights) -> float:
    if not wants or not offered:
        return weights.unknown_skill
    best = 0.0
    for place, wanted in enumerate(wants):
        close = weights.closeness.get((wanted, offered))
        if close is None:
            close = tree_closeness(wanted, offered)
        best = max(best, close * weights.later_want**place)
    return best


class TitleWords:
    """Pairs of neighbouring characters in distinct titles, to tell how much of a title a person's words cover."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._titles = tuple(titles)
        self._sizes = np.zeros(len(self._titles), np.int32)
        holders: dict[str, list[int]] = {}
        for place, title in enumerate(self._titles):
            pairs = character_pairs(title)
            self._sizes[place] = len(pairs)
            for pair in pairs:
                holders.setdefault(pair, []).append(place)
        self._holders = {pair: np.array(places, np.int32) for pair, places in holders.items()}
        self._cached = lru_cache(maxsize=256)(self._shared_with)

    def shared_with(self, words: str) -> Floats:
        """Share of each title's pairs that the words hold too, (titles,) in 0-1."""
        return self._cached(words)

    def _shared_with(self, words: str) -> Floats:
        hits = np.zeros(len(self._titles), np.int32)
        for pair in character_pairs(words):
            if pair in self._holders:
                hits[self._holders[pair]] += 1
        return np.asarray(hits / np.maximum(self._sizes, 1))


def character_pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring letters, digits or Chinese characters in a text; a pair never spans punctuation."""
    pairs = set()
    for left, right in pairwise(text):
        if left.isalnum() and right.isalnum():
            pairs.add((left + right).lower())
    return frozenset(pairs)

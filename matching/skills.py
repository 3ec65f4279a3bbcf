"""How close a posting's work is to what a person wants and says they can do.

Closeness comes from the occupation: the same, one near it, or none of it. The person's own words go before it: one
occupation code holds many jobs, and who asked for 工地小工 is served best by a posting that says so.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np

from matching.market import Floats, Market, Rows
from matching.values import Seeker
from matching.weights import Weights, tree_closeness

_BRACKETS = re.compile(r"[(\[【〔《<「][^)\]】〕》>」]*[)\]】〕》>」]")
_BAIT = ("急招", "急聘", "诚聘", "诚招", "高薪", "直招", "招聘", "招")
_ENDINGS = ("师傅", "人员", "工人", "工", "员", "的")


def skill_of(seeker: Seeker, market: Market, rows: Rows, *, titles: "TitleWords", weights: Weights) -> Floats:
    """Closeness of n rows to what the person wants and can, shape (n,) in 0-1.

    From the best want: closeness x later_want per place down the list. Where the person has words of their own, the
    occupation counts `without_words` of that, and a title that says the words closes what is missing.
    """
    per_occupation = np.array([_closeness(seeker.wants, code, weights) for code in market.occupations.texts])
    close = per_occupation[rows["occupation"]] if len(per_occupation) else np.zeros(len(rows))
    if not seeker.skills_text:
        return close
    said = titles.said_in(seeker.skills_text, weights)[rows["title"]]
    return np.asarray(1 - (1 - weights.without_words * close) * (1 - said))


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
    """Distinct titles and their pieces as sets of character pairs, to tell how far a person's words stand in them."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._titles = tuple(titles)
        self._whole = _PairSets(character_pairs(title) for title in self._titles)
        pieces = [(place, piece) for place, title in enumerate(self._titles) for piece in pieces_of(title)]
        self._title_of = np.array([place for place, _ in pieces], np.intp)
        self._pieces = _PairSets(character_pairs(piece) for _, piece in pieces)
        self._cached = lru_cache(maxsize=256)(self._said_in)

    def said_in(self, words: str, weights: Weights) -> Floats:
        """How far each title says the words, (titles,) in 0-1.

        The largest of three: the square of the Dice coefficient (Dice 1945) of the best piece of the title with the
        best piece of the words, 1 where they are the same; `named_share` where a piece of the title holds all of a
        piece of the words (养猪 in 养猪场饲养员); and `text_share` of the title's pairs that the words hold, for who
        tells a long story.
        """
        return self._cached(words, weights.named_share, weights.text_share)

    def _said_in(self, words: str, named_share: float, text_share: float) -> Floats:
        told = character_pairs(words)
        said = text_share * self._whole.shared_with(told) / np.maximum(self._whole.sizes, 1)
        for piece in pieces_of(words):
            pairs = character_pairs(piece)
            shared = self._pieces.shared_with(pairs)
            dice = 2 * shared / np.maximum(self._pieces.sizes + len(pairs), 1)
            named = named_share * ((shared == len(pairs)) & (shared > 0))
            np.maximum.at(said, self._title_of, np.maximum(dice * dice, named))
        return np.asarray(said)


class _PairSets:
    """n sets of pairs, and which of them hold a pair."""

    def __init__(self, sets: Iterable[frozenset[str]]) -> None:
        sizes: list[int] = []
        holders: dict[str, list[int]] = {}
        for place, pairs in enumerate(sets):
            sizes.append(len(pairs))
            for pair in pairs:
                holders.setdefault(pair, []).append(place)
        self.sizes = np.array(sizes, np.int32)
        self._holders = {pair: np.array(places, np.int32) for pair, places in holders.items()}

    def shared_with(self, pairs: frozenset[str]) -> Floats:
        """How many pairs each set shares with these, (n,)."""
        hits = np.zeros(len(self.sizes))
        for pair in pairs:
            if pair in self._holders:
                hits[self._holders[pair]] += 1
        return hits


def pieces_of(text: str) -> tuple[str, ...]:
    """What a text names, piece by piece: `急招！保安、保洁员（包吃住）` names 保安 and 保洁.

    Outside brackets, at every sign that is no letter or digit a piece ends; bait at its beginning and one ending such
    as 工 or 员 are left out, unless fewer than two characters would remain.
    """
    bare = _BRACKETS.sub(" ", _plain(text))
    return tuple(_core(piece) for piece in "".join(sign if sign.isalnum() else " " for sign in bare).split())


def _core(piece: str) -> str:
    while bait := next((word for word in _BAIT if piece.startswith(word) and len(piece) >= len(word) + 2), ""):
        piece = piece.removeprefix(bait)
    ending = next((word for word in _ENDINGS if piece.endswith(word) and len(piece) >= len(word) + 2), "")
    return piece.removesuffix(ending)


def character_pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring letters, digits or Chinese characters in a text; a pair never spans punctuation."""
    return frozenset(left + right for left, right in pairwise(_plain(text)) if left.isalnum() and right.isalnum())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()

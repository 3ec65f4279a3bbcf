"""How close a posting's work is to what a person wants and says they can do.

Closeness comes from the occupation: the same, one near it, or none of it. The person's own words go before it: one
occupation code holds many jobs, and who asked for 工地小工 is served best by a posting that says so.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.compiling import compiled
from matching.weights import SAME_FAMILY, SAME_GROUP, Weights

Integers = NDArray[np.int32]
Floats = NDArray[np.float64]

_BRACKETS = re.compile(r"[(\[【〔《<「][^)\]】〕》>」]*[)\]】〕》>」]")
_BAIT = ("急招", "急聘", "诚聘", "诚招", "高薪", "直招", "招聘", "招")
_ENDINGS = ("师傅", "人员", "工人", "工", "员", "的")


class Closeness:
    """Which occupations are close to a wanted one, and how close, over a vocabulary of `codes`.

    A posting without an occupation ("") is close to none; the search knows it by itself.
    """

    def __init__(self, codes: Sequence[str], weights: Weights) -> None:
        self._same: dict[str, int] = {code: place for place, code in enumerate(codes) if code}
        self._groups: dict[str, list[int]] = {}
        self._families: dict[str, list[int]] = {}
        for code, place in self._same.items():
            family, group = _kin_of(code)
            if group:
                self._groups.setdefault(group, []).append(place)
                self._families.setdefault(family, []).append(place)
        self._learnt: dict[str, dict[int, float]] = {}
        for (wanted, offered), value in weights.closeness.items():
            if offered in self._same:
                self._learnt.setdefault(wanted, {})[self._same[offered]] = value
        self._cached = lru_cache(maxsize=4096)(self._to)

    def to(self, wanted: str) -> tuple[Integers, Floats]:
        """Positions of the occupations that are close to a wanted one, and how close each is, above zero."""
        return self._cached(wanted)

    def _to(self, wanted: str) -> tuple[Integers, Floats]:
        family, group = _kin_of(wanted)
        close = dict.fromkeys(self._families.get(family, ()), SAME_FAMILY) if family else {}
        close |= dict.fromkeys(self._groups.get(group, ()), SAME_GROUP) if group else {}
        if wanted in self._same:
            close[self._same[wanted]] = 1.0
        close |= self._learnt.get(wanted, {})
        known = [(place, value) for place, value in close.items() if value > 0]
        places = np.array([place for place, _ in known], np.int32)
        values = np.array([value for _, value in known], np.float64)
        # They are remembered, and handed on as they are.
        places.flags.writeable = values.flags.writeable = False
        return places, values


def _kin_of(code: str) -> tuple[str, str]:
    """Family and group of a code written in segments, with how many there are; empty for fewer than three."""
    segments = code.split("-")
    if len(segments) < 3:
        return "", ""
    return f"{len(segments)}:{'-'.join(segments[:-2])}", f"{len(segments)}:{'-'.join(segments[:-1])}"


class TitleWords:
    """Distinct titles and their pieces as sets of character pairs, to tell how far a person's words stand in them.

    `columns` are the arrays behind it, to be saved and opened again. `base` is added to the positions that are told.
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]], pairs: Sequence[str], base: int = 0) -> None:
        self.columns, self.pairs, self.base = columns, pairs, base

    @cached_property
    def _place(self) -> dict[str, int]:
        return {pair: place for place, pair in enumerate(self.pairs)}

    def __len__(self) -> int:
        return len(self.columns["whole_sizes"])

    @classmethod
    def of(cls, titles: Iterable[str], base: int = 0) -> "TitleWords":
        """From the titles themselves."""
        place: dict[str, int] = {}
        whole: list[Integers] = []
        pieces: list[Integers] = []
        title_of: list[int] = []
        for number, title in enumerate(titles):
            plain = _plain(title)
            whole.append(_numbers(_pairs(plain), place))
            for piece in _pieces(plain):
                pieces.append(_numbers(_pairs(piece), place))
                title_of.append(number)
        columns = {"title_of": np.array(title_of, np.int32)}
        for name, sets in (("whole", whole), ("piece", pieces)):
            sizes = np.array([len(each) for each in sets], np.int32)
            members = np.concatenate([*sets, np.zeros(0, np.int32)])
            order = np.argsort(members, kind="stable")
            columns[f"{name}_sizes"] = sizes
            columns[f"{name}_starts"] = np.searchsorted(members[order], np.arange(len(place) + 1)).astype(np.int32)
            columns[f"{name}_holders"] = np.repeat(np.arange(len(sets), dtype=np.int32), sizes)[order]
        for column in columns.values():
            column.flags.writeable = False
        return cls(columns, tuple(place), base)

    def said_in(self, words: str, weights: Weights) -> tuple[Integers, Floats]:
        """The titles that say some of the words, and how far each does, above zero.

        The largest of three: the square of the Dice coefficient (Dice 1945) of the best piece of the title with the
        best piece of the words, 1 where they are the same; `named_share` where a piece of the title holds all of a
        piece of the words (养猪 in 养猪场饲养员); and `text_share` of the title's pairs that the words hold, for who
        tells a long story.
        """
        columns = self.columns
        told = [character_pairs(words), *(character_pairs(piece) for piece in pieces_of(words))]
        known = [[self._place[pair] for pair in pairs if pair in self._place] for pairs in told]
        titles, values = _said(
            np.array([place for places in known for place in places], np.int32),
            np.cumsum([0, *(len(places) for places in known)]).astype(np.int32),
            np.array([len(pairs) for pairs in told], np.int32),
            columns["whole_starts"],
            columns["whole_holders"],
            columns["whole_sizes"],
            columns["piece_starts"],
            columns["piece_holders"],
            columns["piece_sizes"],
            columns["title_of"],
            float(weights.named_share),
            float(weights.text_share),
        )
        return titles + np.int32(self.base), values


@compiled
def _said(
    pairs: NDArray[Any], starts: NDArray[Any], sizes: NDArray[Any],
    whole_starts: NDArray[Any], whole_holders: NDArray[Any], whole_sizes: NDArray[Any],
    piece_starts: NDArray[Any], piece_holders: NDArray[Any], piece_sizes: NDArray[Any], title_of: NDArray[Any],
    named_share: float, text_share: float,
) -> tuple[Any, Any]:  # fmt: skip
    """Titles and how far they say the words; of several sets of pairs the first is all the words, the others pieces."""
    said, titles = np.zeros(len(whole_sizes)), np.empty(len(whole_sizes), np.int32)
    listed = np.zeros(len(whole_sizes), np.bool_)
    found = 0
    hits, touched = np.zeros(max(len(whole_sizes), len(piece_sizes)), np.int32), np.empty(len(piece_sizes), np.int32)
    for at in range(starts[0], starts[1]):
        for each in range(whole_starts[pairs[at]], whole_starts[pairs[at] + 1]):
            title = whole_holders[each]
            if hits[title] == 0:
                titles[found] = title
                found += 1
            hits[title] += 1
    for each in range(found):
        title = titles[each]
        listed[title] = True
        said[title] = text_share * hits[title] / whole_sizes[title]
        hits[title] = 0
    for told in range(1, len(sizes)):
        number = 0
        for at in range(starts[told], starts[told + 1]):
            for each in range(piece_starts[pairs[at]], piece_starts[pairs[at] + 1]):
                piece = piece_holders[each]
                if hits[piece] == 0:
                    touched[number] = piece
                    number += 1
                hits[piece] += 1
        for each in range(number):
            piece = touched[each]
            dice = 2.0 * hits[piece] / (piece_sizes[piece] + sizes[told])
            value = dice * dice
            if hits[piece] == sizes[told]:
                value = max(value, named_share)
            hits[piece] = 0
            title = title_of[piece]
            # A piece of the words may have pairs that the words as a whole lack: beside a bracket that is taken out.
            if not listed[title]:
                listed[title] = True
                titles[found] = title
                found += 1
            said[title] = max(said[title], value)
    return titles[:found].copy(), said[titles[:found]]


def pieces_of(text: str) -> tuple[str, ...]:
    """What a text names, piece by piece: `急招！保安、保洁员（包吃住）` names 保安 and 保洁.

    Outside brackets, at every sign that is no letter or digit a piece ends; bait at its beginning and one ending such
    as 工 or 员 are left out, unless fewer than two characters would remain.
    """
    return _pieces(_plain(text))


def _pieces(plain: str) -> tuple[str, ...]:
    bare = _BRACKETS.sub(" ", plain)
    return tuple(_core(piece) for piece in "".join(sign if sign.isalnum() else " " for sign in bare).split())


def _core(piece: str) -> str:
    while bait := next((word for word in _BAIT if piece.startswith(word) and len(piece) >= len(word) + 2), ""):
        piece = piece.removeprefix(bait)
    ending = next((word for word in _ENDINGS if piece.endswith(word) and len(piece) >= len(word) + 2), "")
    return piece.removesuffix(ending)


def character_pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring letters, digits or Chinese characters in a text; a pair never spans punctuation."""
    return _pairs(_plain(text))


def _pairs(plain: str) -> frozenset[str]:
    return frozenset(left + right for left, right in pairwise(plain) if left.isalnum() and right.isalnum())


def _numbers(pairs: Iterable[str], place: dict[str, int]) -> Integers:
    return np.array([place.setdefault(pair, len(place)) for pair in pairs], np.int32)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()

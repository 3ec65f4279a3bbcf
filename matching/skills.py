"""How close a posting's work is to what a person wants and says they can do.

Closeness comes from the occupation: the same, one near it, or none of it. The person's own words go before it: one
occupation code holds many jobs, and who asked for 工地小工 is served best by a posting that says so.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.compiling import compiled
from matching.weights import SAME_FAMILY, SAME_GROUP, Weights

Integers = NDArray[np.int32]
Floats = NDArray[np.float64]

# Of texts that stand on a line each: a plain text holds no end of a line.
_WORDS = re.compile(r"[^\W_]+")  # letters and digits, as `str.isalnum` tells them
_BRACKETS = re.compile(r"[(\[【〔《<「][^)\]】〕》>」\n]*[)\]】〕》>」]")
# Both leave two signs at least. An ending looks back from behind itself: one that began so would look at every sign.
_BAIT = re.compile(r"^(?:(?:急招|急聘|诚聘|诚招|高薪|直招|招聘|招)(?=..))+", re.MULTILINE)
_ENDING = re.compile(
    "|".join(f"{each}$(?<=..{each})" for each in ("师傅", "人员", "工人", "工", "员", "的")), re.MULTILINE
)


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
        plain = [_plain(title) for title in titles]
        found, pieces = _pieces(plain)
        title_of = np.repeat(np.arange(len(plain), dtype=np.int32), found)
        holders, codes, pairs = _pairs_by_text([*plain, *pieces])
        is_whole = holders < len(plain)
        whole = _Members(codes[is_whole], holders[is_whole], len(plain))
        piece = _Members(codes[~is_whole], holders[~is_whole] - len(plain), len(title_of))
        return cls._built(whole, piece, title_of, pairs, base)

    @classmethod
    def joined(cls, sets: Sequence["TitleWords"]) -> "TitleWords":
        """Sets of titles that follow each other as one set; no title is taken apart again."""
        place: dict[str, int] = {}
        places = [np.array([place.setdefault(pair, len(place)) for pair in each.pairs], np.int64) for each in sets]
        before = np.cumsum([0, *(len(each) for each in sets)]).astype(np.int32)
        title_of = [each.columns["title_of"] + first for each, first in zip(sets, before, strict=False)]
        whole, piece = (
            _Members.joined([_Members.of(each.columns, name, codes) for each, codes in zip(sets, places, strict=True)])
            for name in ("whole", "piece")
        )
        return cls._built(whole, piece, np.concatenate(title_of), tuple(place), sets[0].base)

    @classmethod
    def _built(
        cls, whole: "_Members", piece: "_Members", title_of: Integers, pairs: Sequence[str], base: int
    ) -> "TitleWords":
        columns = {"title_of": title_of}
        for name, members in (("whole", whole), ("piece", piece)):
            held = np.bincount(members.codes, minlength=len(pairs))
            columns[f"{name}_sizes"] = np.bincount(members.holders, minlength=members.texts).astype(np.int32)
            columns[f"{name}_starts"] = np.append(0, np.cumsum(held)).astype(np.int32)
            columns[f"{name}_holders"] = members.holders[_order_of(members.codes, len(pairs))].astype(np.int32)
        for column in columns.values():
            column.flags.writeable = False
        return cls(columns, pairs, base)

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


@dataclass(frozen=True, slots=True)
class _Members:
    """Sets of pairs, one for each of so many texts: places of pairs and which text holds each, both (n,)."""

    codes: NDArray[np.int64]
    holders: NDArray[Any]
    texts: int

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]], name: str, codes: NDArray[np.int64]) -> "_Members":
        """Those of whole titles or of pieces, from the columns of `TitleWords`, with a place for each pair there."""
        each = np.repeat(codes, np.diff(columns[f"{name}_starts"]))
        return cls(each, columns[f"{name}_holders"], len(columns[f"{name}_sizes"]))

    @classmethod
    def joined(cls, parts: Sequence["_Members"]) -> "_Members":
        """Those of texts that follow each other."""
        before = np.cumsum([0, *(part.texts for part in parts)])
        holders = [part.holders + first for part, first in zip(parts, before, strict=False)]
        return cls(np.concatenate([part.codes for part in parts]), np.concatenate(holders), int(before[-1]))


def _pairs_by_text(plain: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """What `_pairs` finds in each text, all at once: texts and places of their distinct pairs; and the pairs."""
    signs = np.frombuffer("\n".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32)
    is_there = np.zeros(int(signs.max(initial=0)) + 1, np.bool_)
    is_there[signs] = True
    known = [sign for sign in np.flatnonzero(is_there).tolist() if chr(sign).isalnum()]
    place = np.full(len(is_there), -1, np.int64)
    place[known] = np.arange(len(known))
    at = place[signs]
    first = np.flatnonzero((at[:-1] >= 0) & (at[1:] >= 0))
    # By the first sign, then by the second, then by text.
    first = first[_order_of(at[first + 1], len(known))]
    first = first[_order_of(at[first], len(known))]
    codes, text = at[first] * len(known) + at[first + 1], np.cumsum(signs == ord("\n"))[first]
    is_other, is_next = (
        np.append(np.ones(min(1, len(first)), np.bool_), each[1:] != each[:-1]) for each in (codes, text)
    )
    pairs = np.column_stack([signs[first[is_other]], signs[first[is_other] + 1]]).view("<U2").ravel().tolist()
    is_new = is_other | is_next
    return text[is_new], (np.cumsum(is_other) - 1)[is_new], pairs


@compiled
def _order_of(keys: NDArray[Any], number: int) -> Any:
    """The order in which n keys below a number rise, equal ones as they stand: counting sort, (n,)."""
    starts = np.zeros(number + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for each in range(number):
        starts[each + 1] += starts[each]
    order = np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        order[starts[keys[at]]] = at
        starts[keys[at]] += 1
    return order


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
    return tuple(_pieces([_plain(text)])[1])


def _pieces(plain: Sequence[str]) -> tuple[list[int], list[str]]:
    """How many pieces each text has, and all of them."""
    lines = _BRACKETS.sub(" ", "\n".join(plain)).split("\n") if plain else []
    found = [_WORDS.findall(line) for line in lines]
    pieces = "\n".join(chain.from_iterable(found))
    return [len(each) for each in found], _ENDING.sub("", _BAIT.sub("", pieces)).split("\n") if pieces else []


def character_pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring letters, digits or Chinese characters in a text; a pair never spans punctuation."""
    return _pairs(_plain(text))


def _pairs(plain: str) -> frozenset[str]:
    return frozenset(left + right for left, right in pairwise(plain) if left.isalnum() and right.isalnum())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().replace("\n", " ")

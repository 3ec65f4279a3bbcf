"""Learning what titles mean from titles whose meaning somebody has told.

A kernel ridge regression (Saunders, Gammerman & Vovk 1998) from the marks of a title, its characters, pairs of
characters and foreign words, to the meanings. Meanings whose names share words share what is learnt, and each name
counts as one more example of itself. The regression knows in closed form what it would have said of each example
without having seen it; from that comes how far it may be trusted.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

Floats = NDArray[np.float32]
Line = tuple[NDArray[np.float64], NDArray[np.float64]]

MOST = 5000  # distinct titles learnt from; the work grows with the square of their number, the learning's with its cube
RIDGE = 1.5
SHARED_NAMES = 0.5  # how much of what is told of a meaning is told of those with a like name
BALANCE = 0.3  # a meaning told n times is told n^-BALANCE each time
NARROW = 4.0  # of the Gaussian half of the kernel; the other half is linear
_CALIBRATED = 10  # meanings of a title that tell how far a value may be trusted
_USUAL = np.array([(0, 0), (0.15, 0.05), (0.25, 0.15), (0.35, 0.4), (0.5, 0.6), (0.8, 0.85), (1.2, 1)])
"""What a value is usually worth as a chance."""
_USUAL_CASES = 2.0
_CHUNK = 512

_NUMBERED = re.compile(r"[a-z]{0,4}[-_]?\d{3,}[a-z]?|\d+")
_BRACKETED = re.compile(r"[(\[【〔《<「][^)\]】〕》>」]*[)\]】〕》>」]?")
_RUNS = re.compile(r"[a-z+#.]+|[㐀-鿿]+")


class Examples:
    """What is learnt from pairs of a title and its meaning (0, 1, …), given the names of the meanings in order."""

    def __init__(self, names: Sequence[str], pairs: Sequence[tuple[str, int]]) -> None:
        """Needs one pair at least. Of more than MOST distinct titles those told most often are learnt from."""
        told: dict[str, Counter[int]] = {}
        for title, meaning in pairs:
            told.setdefault(_plain(title), Counter())[meaning] += 1
        often = Counter({title: meanings.total() for title, meanings in told.items()})
        titles = sorted(sorted(often), key=lambda title: -often[title])[:MOST]
        self._told = {title: told[title] for title in titles}
        self._marks = _Marks([*titles, *map(_plain, names)])
        seen = self._marks.of([*titles, *map(_plain, names)])
        named = seen[len(titles) :]
        self._rows = seen.T.tocsr()
        shares, weights = _targets([told[title] for title in titles], len(names))
        likeness = (named @ named.T).toarray()
        smoothed = shares @ ((1 - SHARED_NAMES) * np.eye(len(names)) + SHARED_NAMES * likeness)

        root = np.sqrt(weights)
        kernel = _kernel((seen @ seen.T).toarray()).astype(np.float64) * root[:, None] * root
        kernel[np.diag_indices_from(kernel)] += RIDGE
        inverse = np.linalg.inv(kernel)
        solved = inverse @ (smoothed * root[:, None])
        self._solved = (solved * root[:, None]).astype(np.float32)
        unseen = smoothed - solved / (np.diag(inverse) * root)[:, None]
        self._best, self._others = _lines(unseen[: len(titles)], [told[title] for title in titles])

    def chances(self, titles: Sequence[str]) -> tuple[Floats, Floats]:
        """Chance of each meaning for each title (titles, meanings), and how near the nearest example is (0-1).

        A title that is an example itself means what was told of it; the regression counts as one more that told.
        """
        chances = np.empty((len(titles), self._solved.shape[1]), np.float32)
        near = np.empty(len(titles), np.float32)
        plain = [_plain(title) for title in titles]
        for begin in range(0, len(titles), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            alike = (self._marks.of(plain[part]) @ self._rows).toarray()
            chances[part] = self._trusted(_kernel(alike) @ self._solved)
            near[part] = alike[:, : len(self._told)].max(axis=1)
        for place, title in enumerate(plain):
            if told := self._told.get(title):
                chances[place] /= told.total() + 1
                chances[place, list(told)] += np.array(list(told.values())) / (told.total() + 1)
        return chances, near

    def _trusted(self, values: Floats) -> Floats:
        """Values as chances, in the same order."""
        chances = np.interp(values, *self._others).astype(np.float32)
        rows, best = np.arange(len(values)), values.argmax(axis=1)
        chances[rows, best] = np.maximum(np.interp(values[rows, best], *self._best), chances[rows, best])
        return chances


class _Marks:
    """Vectors of texts: characters and pairs of them within words as written, and again without what is no word."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._places: list[dict[str, int]] = []
        self._weights: list[NDArray[np.float64]] = []
        for view in (_written, _worded):
            held = Counter(mark for text in texts for mark in view(text))
            self._places.append({mark: place for place, mark in enumerate(sorted(held))})
            self._weights.append(
                np.array([1 + math.log((1 + len(texts)) / (1 + held[mark])) for mark in sorted(held)], np.float64)
            )

    def of(self, texts: Sequence[str]) -> Any:
        """Unit vectors (texts, marks), sparse, float32; zero for a text with no known mark."""
        return hstack(
            [
                _vectors([view(text) for text in texts], places, weights)
                for view, places, weights in zip((_written, _worded), self._places, self._weights, strict=True)
            ],
            format="csr",
        )


def _vectors(marked: Sequence[Mapping[str, float]], places: Mapping[str, int], weights: NDArray[np.float64]) -> Any:
    """Half of the unit vectors: each view counts the same."""
    known = [[(places[mark], count) for mark, count in marks.items() if mark in places] for marks in marked]
    starts = np.cumsum([0, *map(len, known)])
    columns = np.array([place for each in known for place, _ in each], np.int32)
    counts = np.array([count for each in known for _, count in each], np.float64)
    values = np.where(counts > 1, 1 + np.log(np.maximum(counts, 1)), counts) * weights[columns]
    rows = np.repeat(np.arange(len(known)), np.diff(starts))
    lengths = np.sqrt(2 * np.bincount(rows, values * values, minlength=len(known)))
    return csr_array(((values / lengths[rows]).astype(np.float32), columns, starts), shape=(len(known), len(places)))


def _written(text: str) -> Mapping[str, float]:
    """Characters and pairs of a text as it is written, the ends of words counting as characters."""
    marks: Counter[str] = Counter()
    for word in text.split():
        marks.update(word)
        marks.update(left + right for left, right in zip(f" {word}", f"{word} ", strict=True))
    return marks


def _worded(text: str) -> dict[str, float]:
    """Chinese characters and pairs, foreign words and parts of them; numbers left out, what is in brackets for half."""
    marks: dict[str, float] = {}
    text = _NUMBERED.sub(" ", text)
    for part, worth in ((_BRACKETED.sub(" ", text), 1.0), (" ".join(_BRACKETED.findall(text)), 0.5)):
        for run in _RUNS.findall(part):
            if run[0] >= "㐀":
                told = [(run[start : start + size], worth) for size in (1, 2) for start in range(len(run) - size + 1)]
            else:
                word = run.strip(".")
                told = [(f"={word}", worth)] if word else []
                told += [(f"~{word[at : at + 4]}", 0.3 * worth) for at in range(len(word) - 3) if len(word) > 4]
            for mark, value in told:
                marks[mark] = marks.get(mark, 0.0) + value
    return marks


def _targets(told: Sequence[Mapping[int, int]], meanings: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each title means and what that weighs, and behind them each meaning's name, which was told once.

    (titles + meanings, meanings) shares that sum to 1, and (titles + meanings,) weights.
    """
    counts = np.ones(meanings)
    for each in told:
        for meaning, number in each.items():
            counts[meaning] += number
    worth = counts**-BALANCE
    worth /= (counts * worth).sum() / counts.sum()
    weighed = np.zeros((len(told), meanings))
    for place, each in enumerate(told):
        for meaning, number in each.items():
            weighed[place, meaning] = number * worth[meaning]
    weighed = np.concatenate([weighed, np.diag(worth)])
    weights = weighed.sum(axis=1)
    return weighed / weights[:, None], weights


def _kernel(alike: Any) -> Any:
    """Half linear, half Gaussian, of cosines; at most 1."""
    return 0.5 * alike + 0.5 * np.exp(NARROW * (alike - 1))


def _lines(values: NDArray[np.float64], told: Sequence[Mapping[int, int]]) -> tuple[Line, Line]:
    """How often a meaning was told by the value it was given unseen: where that was the best one, and where not."""
    likeliest = np.argsort(-values, axis=1, kind="stable")[:, :_CALIBRATED]
    totals = np.array([sum(meanings.values()) for meanings in told], np.float64)
    shares = [
        [meanings.get(meaning, 0) / total for meaning in row]
        for row, meanings, total in zip(likeliest.tolist(), told, totals, strict=True)
    ]
    given, hits = np.take_along_axis(values, likeliest, axis=1), np.array(shares)
    weights = np.broadcast_to(totals[:, None], given.shape)
    return (
        _rising(given[:, 0], hits[:, 0], weights[:, 0]),
        _rising(given[:, 1:].ravel(), hits[:, 1:].ravel(), weights[:, 1:].ravel()),
    )


def _rising(points: Any, hits: Any, weights: Any) -> Line:
    """Points of a line that rises through the hits, by isotonic regression (Zadrozny & Elkan 2002).

    A line that is usual counts as a few cases, so that few examples do not bend it.
    """
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - a third of a second that only examples pay

    points, hits = np.concatenate([points, _USUAL[:, 0]]), np.concatenate([hits, _USUAL[:, 1]])
    weights = np.concatenate([weights, np.full(len(_USUAL), _USUAL_CASES)])
    order = np.lexsort((hits, points))
    points, hits, weights = points[order], hits[order], weights[order]
    line = isotonic_regression(hits, weights=weights)
    starts = line.blocks[:-1]
    centres = np.add.reduceat(points * weights, starts) / np.add.reduceat(weights, starts)
    return centres, np.clip(line.x[starts], 0, 1)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()

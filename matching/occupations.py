"""Words to occupations: what people say (看大门的) and what employers write (急招！高薪普工（包吃住）).

Every name and alias is a short text of weighted character n-grams (one to three characters). A query is compared with
all of them at once: how much of the alias do the words cover, and how much of the words does the alias? An alias that
stands whole in the words counts most, one that is met only in part little, and a slip of the pen is forgiven by
comparing letters.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rapidfuzz import fuzz

_BRACKETS = re.compile(r"[(\[【〔《<「][^)\]】〕》>」]*[)\]】〕》>」]")
_NOISE = re.compile(
    r"急招|急聘|急需|诚聘|诚招|热招|高薪|直招|直聘|招聘|招工|招收|包吃包住|包吃住|包食宿|包吃|包住宿?|管吃管住|五险一金|五险|双休|日结|月结|周结|长白班|白班|夜班|两班倒"
    r"|无需经验|不限经验|可学徒|可暑假工|暑假工|寒假工|实习生?|应届生?|底薪|提成|奖金|补贴|月薪|年薪|薪资|待遇优|待遇|过万|上万|大量|若干|名额|岗位"
    r"|\d+(?:\.\d+)?\s*(?:[-~至到]\s*\d+(?:\.\d+)?)?\s*(?:元|块|k|w|千|万|薪|人|名|岁|天|小时|年|月|h)?"
)
_FILLERS = re.compile(
    r"想?找个?|想要?个?|想去|想做|想干|想在|我想|我要|我会|我能|我是|以前|原来|年轻时|当过|干过|做过|搞过|学过|开过|带过|会做|会搞|会点|可以|有没有|哪里有|附近|家附近|老家"
    r"|帮人家?|帮别人|给人家?|给别人|替人|跟人|跟着|一个|的活路?|活路|的工作|的事情|这种|那种|之类|什么的|啥子|啷个|嘛|呢|吧|哈|啊|哦|噻|咯"
)
_LETTERS = re.compile(r"[^\w]+|_")
_TAIL = re.compile(r"(?:的人|的活|的|师傅|人员|员工|工人|小哥|大姐|阿姨|大叔|学徒)$")
_SEPARATORS = re.compile(r"[/、,，;；|+&]|或者?|和|兼")
_GRAM_SIZES = {1: 0.5, 2: 1.0, 3: 1.3}
"""Sizes of character n-grams and what one of each weighs against the others."""
_LONGEST = 200  # characters read of a text
_POOL = 40  # entries that letters are compared with, after the n-grams have chosen them
_MOST = 10  # answers kept of a text
_CACHE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An occupation that words were taken for; `confidence` in 0-1."""

    code: str
    name: str
    confidence: float


class OccupationResolver:
    """Resolves words to occupation codes. Built once from tables; safe to share between threads."""

    def __init__(self, names: Mapping[str, str], entries: Iterable[tuple[str, str, float]]) -> None:
        """`entries`: (text, code, trust in 0-1); see `from_tables` for what they are made from."""
        self._names = dict(names)
        plain = [(_plain(text), code, trust) for text, code, trust in entries]
        # In an order of its own: where equal entries meet a cut, the order of the table must not choose between them.
        self._entries = sorted(entry for entry in plain if entry[0])
        self._exact: dict[str, list[int]] = {}
        for place, (text, _, _) in enumerate(self._entries):
            self._exact.setdefault(text, []).append(place)
        grams = [grams_of(text) for text, _, _ in self._entries]
        held = Counter(gram for each in grams for gram in each)
        self._unknown = math.log(1 + len(grams))
        self._weights = {
            gram: _GRAM_SIZES[len(gram)] * math.log(1 + len(grams) / number) for gram, number in held.items()
        }
        holders: dict[str, list[int]] = {}
        for place, each in enumerate(grams):
            for gram in each:
                holders.setdefault(gram, []).append(place)
        self._holders = {gram: np.array(places, np.int32) for gram, places in holders.items()}
        self._masses = np.array([sum(self._weights[gram] for gram in each) for each in grams])
        self._trust = np.array([trust for _, _, trust in self._entries])
        self._cached = lru_cache(maxsize=_CACHE)(self._resolve)

    @classmethod
    def from_tables(
        cls,
        names: Mapping[str, str],
        aliases: Iterable[tuple[str, str]],
        examples: Iterable[tuple[str, str]] = (),
    ) -> "OccupationResolver":
        """A resolver from occupation names {code: name} and pairs (text, code): aliases, and examples to learn from.

        Raises ValueError when an alias or example bears a code that has no name.
        """
        entries = [(name, code, 1.0) for code, name in names.items()]
        entries += [(text, code, 1.0) for text, code in aliases]
        entries += [(text, code, 0.9) for text, code in examples]
        unknown = sorted({code for _, code, _ in entries if code not in names})
        if unknown:
            raise ValueError(f"codes without a name: {', '.join(unknown[:5])}")
        return cls(names, entries)

    def resolve(self, text: str, k: int = 3) -> list[Resolved]:
        """The k likeliest occupations (ten at most), best first, each once; empty when nothing is alike."""
        return list(self._cached(unicodedata.normalize("NFKC", text).strip()[:_LONGEST])[:k])

    def _resolve(self, text: str) -> tuple[Resolved, ...]:
        best: dict[str, float] = {}
        for words, trust in _readings(text):
            for code, score in self._scores(words).items():
                best[code] = max(best.get(code, 0.0), score * trust)
        ranked = sorted(best.items(), key=lambda item: (-round(item[1], 6), item[0]))[:_MOST]
        return tuple(
            Resolved(code=code, name=self._names[code], confidence=round(min(score, 1.0), 3)) for code, score in ranked
        )

    def _scores(self, words: str) -> dict[str, float]:
        """Score in 0-1 by code for plain words, of the codes whose entries share something with them."""
        grams = grams_of(words)
        mass = sum(self._weights.get(gram, _GRAM_SIZES[len(gram)] * self._unknown) for gram in grams)
        shared = np.zeros(len(self._entries))
        for gram in grams:
            if gram in self._holders:
                shared[self._holders[gram]] += self._weights[gram]
        if not mass or not shared.any():
            return {}
        covered, covering = shared / self._masses, shared / mass
        alike = covered * (0.3 + 0.7 * covering) * self._trust
        chosen = np.argsort(-alike, kind="stable")[: min(_POOL, np.count_nonzero(alike))]
        found: dict[str, list[float]] = {}
        for place in chosen:
            text, code, trust = self._entries[place]
            letters = fuzz.ratio(words, text) / 100
            score = float(max(alike[place], trust * letters * letters * 0.9))
            found.setdefault(code, []).append(1.0 * trust if text == words else 0.97 * score)
        return {code: _together(scores) for code, scores in found.items()}


def grams_of(text: str) -> frozenset[str]:
    """Distinct runs of one to three characters in a text."""
    return frozenset(text[start : start + size] for size in _GRAM_SIZES for start in range(len(text) - size + 1))


def _together(scores: Sequence[float]) -> float:
    """Score of a code from its entries: the best one, and a little for others that agree."""
    best, *others = sorted(scores, reverse=True)
    return best + (1 - best) * 0.15 * (1 - math.prod(1 - other for other in others[:3]))


def _readings(text: str) -> Iterator[tuple[str, float]]:
    """Ways to read a text and what each is trusted: as it stands, without noise, its pieces, what is in brackets."""
    seen = set()
    bare = _BRACKETS.sub(" ", text)
    candidates = [
        (text, 1.0),
        (bare, 1.0),
        (_NOISE.sub(" ", bare), 1.0),
        (_FILLERS.sub(" ", _NOISE.sub(" ", bare)), 1.0),
    ]
    candidates += [(_FILLERS.sub("", _NOISE.sub("", piece)), 0.97) for piece in _SEPARATORS.split(bare)]
    candidates += [(_NOISE.sub(" ", inside), 0.8) for inside in _BRACKETS.findall(text)]
    for candidate, trust in candidates:
        for words in (_plain(candidate), _TAIL.sub("", _plain(candidate))):
            if words and words not in seen:
                seen.add(words)
                yield words, trust


def _plain(text: str) -> str:
    """A text in one width and case, without punctuation and spaces."""
    return _LETTERS.sub("", unicodedata.normalize("NFKC", text).lower())

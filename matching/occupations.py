"""Words to occupations: what people say (看大门的) and what employers write (急招！高薪普工（包吃住）).

A text is read in several ways (as it stands, without bait, piece by piece) and each reading compared with all names and
aliases at once: how much of the alias do the words cover, and how much of the words does the alias? An alias that
stands whole in the words counts most, one that is met only in part little, and a slip of the pen is forgiven by
comparing letters. Where titles are known whose occupation somebody has told, what is learnt from them decides, the
more the nearer such a title is.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matching.aliases import Aliases
from matching.examples import Examples

Floats = NDArray[np.float32]

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
_LONGEST = 200  # characters read of a text
_MOST = 10  # answers kept of a text
_CACHE = 8192
_AT_ONCE = 2048  # texts whose readings are held at once
_BELIEVED = 10  # cases in which an alias meant what it says, before any example is seen
_FAR, _NEAR = 0.2, 0.4  # likeness of the nearest example from which examples begin to count, and count alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An occupation that words were taken for; `confidence` in 0-1."""

    code: str
    name: str
    confidence: float


class OccupationResolver:
    """Resolves words to occupation codes. Built once from tables; safe to share between threads."""

    def __init__(
        self, names: Mapping[str, str], aliases: Iterable[tuple[str, str]], examples: Iterable[tuple[str, str]] = ()
    ) -> None:
        """See `from_tables`."""
        # In an order of its own: between equals the order of the tables must not choose.
        self._codes = sorted(names)
        self._names = dict(names)
        meaning = {code: place for place, code in enumerate(self._codes)}
        entries = {(_plain(text), meaning[code]) for text, code in (*((names[code], code) for code in names), *aliases)}
        texts, meanings = zip(*(sorted(entry for entry in entries if entry[0])), strict=True) if entries else ((), ())
        self._aliases = Aliases(texts, meanings)
        pairs = [(text, meaning[code]) for text, code in examples]
        self._examples = Examples([names[code] for code in self._codes], pairs) if pairs else None
        self._trust = self._tried(pairs)
        self._cached = lru_cache(maxsize=_CACHE)(lambda text: self._resolve([text])[0])

    @classmethod
    def from_tables(
        cls,
        names: Mapping[str, str],
        aliases: Iterable[tuple[str, str]],
        examples: Iterable[tuple[str, str]] = (),
    ) -> "OccupationResolver":
        """A resolver from occupation names {code: name} and pairs (text, code): aliases, and examples to learn from.

        An alias means what it says wherever it is met; an example is one case, from which the likeliest is learnt.
        Raises ValueError when an alias or example bears a code that has no name.
        """
        aliases, examples = list(aliases), list(examples)
        unknown = sorted({code for _, code in (*aliases, *examples) if code not in names})
        if unknown:
            raise ValueError(f"codes without a name: {', '.join(unknown[:5])}")
        return cls(names, aliases, examples)

    def resolve(self, text: str, k: int = 3) -> list[Resolved]:
        """The k likeliest occupations (ten at most), best first, each once; empty when nothing is alike."""
        return list(self._cached(_read(text))[:k])

    def resolve_many(self, texts: Sequence[str], k: int = 3) -> list[list[Resolved]]:
        """As `resolve` for each of many texts, such as the titles of an import: each distinct text is read once."""
        places: dict[str, int] = {}
        for text in texts:
            places.setdefault(_read(text), len(places))
        distinct, found = list(places), []
        for begin in range(0, len(distinct), _AT_ONCE):
            found += self._resolve(distinct[begin : begin + _AT_ONCE])
        return [list(found[places[_read(text)]][:k]) for text in texts]

    def _resolve(self, texts: Sequence[str]) -> list[tuple[Resolved, ...]]:
        told = self._alike(texts)
        if self._examples is None:
            return [self._answers(found) for found in told]
        learnt = zip(told, *self._examples.chances(texts), strict=True)
        return [self._answers(self._together(*each)) for each in learnt]

    def _alike(self, texts: Sequence[str]) -> list[dict[int, float]]:
        """Meanings whose names or aliases are like each text, and how like."""
        readings = [(place, words, trust) for place, text in enumerate(texts) for words, trust in _readings(text)]
        told: list[dict[int, float]] = [{} for _ in texts]
        meanings, values = self._aliases.meanings_of([words for _, words, _ in readings])
        for (place, _, trust), row, alike in zip(readings, meanings.tolist(), values.tolist(), strict=True):
            found = told[place]
            for meaning, value in zip(row, alike, strict=True):
                if meaning < 0:
                    break
                found[meaning] = max(found.get(meaning, 0.0), value * trust)
        return told

    def _tried(self, pairs: Sequence[tuple[str, int]]) -> float:
        """How often an alias that stands whole in an example means there what it says; 1 while nothing contradicts."""
        counts = Counter((_read(text), meaning) for text, meaning in pairs)
        hits = cases = 0
        for ((_, meaning), number), found in zip(
            counts.items(), self._alike([text for text, _ in counts]), strict=True
        ):
            whole = {each for each, value in found.items() if value >= 1.0}
            cases += number * bool(whole)
            hits += number * (meaning in whole)
        return (hits + _BELIEVED) / (cases + _BELIEVED)

    def _together(self, found: Mapping[int, float], chances: Floats, near: float) -> dict[int, float]:
        """Likeness to aliases and what examples tell, put together."""
        share = min(max((float(near) - _FAR) / (_NEAR - _FAR), 0.0), 1.0)
        together = {meaning: (1 - share) * value for meaning, value in found.items()}
        likeliest = np.argsort(-chances, kind="stable")[:_MOST]
        for meaning, chance in zip(likeliest.tolist(), chances[likeliest].tolist(), strict=True):
            together[meaning] = together.get(meaning, 0.0) + share * chance
        for meaning, value in found.items():
            if value >= 1.0:
                together[meaning] = max(together[meaning], self._trust)
        return together

    def _answers(self, found: Mapping[int, float]) -> tuple[Resolved, ...]:
        ranked = sorted(found.items(), key=lambda item: (-round(item[1], 6), item[0]))[:_MOST]
        return tuple(
            Resolved(
                code=self._codes[meaning],
                name=self._names[self._codes[meaning]],
                confidence=round(min(value, 1.0), 3),
            )
            for meaning, value in ranked
            if value > 0
        )


def _read(text: str) -> str:
    """What is read of a text: its beginning, in one width."""
    return unicodedata.normalize("NFKC", text).strip()[:_LONGEST]


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

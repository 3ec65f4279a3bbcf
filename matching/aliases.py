"""Texts that stand for something, searched for those that words are most alike.

Two ways of being alike: by weighted character n-grams (one to three characters), of which a text and the words share
some, and by letters, where a slip of the pen leaves most of them in order. Both are exact: what is skipped is what
cannot be best.
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.compiling import compiled, inlined

Integers = NDArray[np.int32]
Floats = NDArray[np.float64]

POOL = 40  # entries whose letters are compared, after the n-grams have chosen them
_GRAM_SIZES = {1: 0.5, 2: 1.0, 3: 1.3}
"""Sizes of character n-grams and what one of each weighs against the others."""
_WORD = 64  # letters of the words that one machine word holds


class Aliases:
    """Texts, each standing for a `meaning` (a number). Safe to share between threads."""

    def __init__(self, texts: Sequence[str], meanings: Sequence[int]) -> None:
        """The texts are taken as they are; none may be empty. Between equals the one that stands first is taken."""
        grams = [grams_of(text) for text in texts]
        held = Counter(gram for each in grams for gram in each)
        self._places = {gram: place for place, gram in enumerate(sorted(held))}
        self._unknown = math.log(1 + len(texts))
        weights = [_GRAM_SIZES[len(gram)] * math.log(1 + len(texts) / held[gram]) for gram in self._places]
        self._weights = np.array(weights, np.float64)
        self._gram_starts, self._gram_holders, _ = _turned(
            [[(self._places[gram], 1) for gram in sorted(each)] for each in grams], len(self._places)
        )
        masses = [math.fsum(weights[self._places[gram]] for gram in each) for each in grams]
        self._masses = np.array(masses, np.float64)
        self._meanings = np.array(meanings, np.int32)
        self._numbers = {letter: number for number, letter in enumerate(sorted(set("".join(texts))))}
        self._letters, self._starts = self._spelt(texts)
        self._letter_starts, self._letter_holders, self._letter_counts = _turned(
            [[(self._numbers[letter], number) for letter, number in Counter(text).items()] for text in texts],
            len(self._numbers),
        )

    def __len__(self) -> int:
        return len(self._meanings)

    def nearest(self, words: str) -> tuple[int, float]:
        """Position of the text whose letters are most alike, and how alike in 0-1; (-1, 0) where no letter is shared.

        Alike is the normalised Indel similarity: twice the longest common subsequence by the letters of both. The
        subsequence is found bit by bit (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"), and only of
        texts which share enough letters in any order.
        """
        return _nearest(
            self._spelt([words])[0],
            self._letters,
            self._starts,
            self._letter_starts,
            self._letter_holders,
            self._letter_counts,
            np.zeros(len(self._numbers), np.uint64),
            np.zeros(len(self), np.int32),
        )

    def meanings_of(self, words: Sequence[str]) -> tuple[Integers, Floats]:
        """Meanings of each of some words and how alike in 0-1, best first: (words, POOL + 1), padded with -1 and 0."""
        grams = [grams_of(each) for each in words]
        known = [sorted(self._places[gram] for gram in each if gram in self._places) for each in grams]
        masses = [
            math.fsum(_GRAM_SIZES[len(gram)] * self._unknown for gram in each if gram not in self._places)
            for each in grams
        ]
        letters, starts = self._spelt(words)
        meanings = np.full((len(words), POOL + 1), -1, np.int32)
        alike = np.zeros((len(words), POOL + 1))
        _meanings(
            np.array([gram for each in known for gram in each], np.int32),
            np.array([0, *accumulate(map(len, known))], np.int32),
            np.array(masses, np.float64),
            letters,
            starts,
            self._gram_starts,
            self._gram_holders,
            self._weights,
            self._masses,
            self._meanings,
            self._letters,
            self._starts,
            self._letter_starts,
            self._letter_holders,
            self._letter_counts,
            len(self._numbers),
            meanings,
            alike,
        )
        return meanings, alike

    def _spelt(self, texts: Sequence[str]) -> tuple[Integers, Integers]:
        """Letters of texts as numbers, one text after the other, -1 for letters of no entry; and where each begins."""
        letters = [self._numbers.get(letter, -1) for text in texts for letter in text]
        return np.array(letters, np.int32), np.array([0, *accumulate(map(len, texts))], np.int32)


def grams_of(text: str) -> frozenset[str]:
    """Distinct runs of one to three characters in a text."""
    return frozenset(text[start : start + size] for size in _GRAM_SIZES for start in range(len(text) - size + 1))


def _turned(lists: Sequence[Sequence[tuple[int, int]]], number: int) -> tuple[Integers, Integers, Integers]:
    """Which lists hold each of `number` things, and how many of it: where a thing begins, the holders, the counts."""
    pairs = np.array([pair for each in lists for pair in each], np.int32).reshape(-1, 2)
    holders = np.repeat(np.arange(len(lists), dtype=np.int32), [len(each) for each in lists])
    order = np.argsort(pairs[:, 0], kind="stable")
    starts = np.searchsorted(pairs[order, 0], np.arange(number + 1)).astype(np.int32)
    return starts, holders[order], pairs[order, 1].copy()


@inlined
def _in_common(
    words: NDArray[Any], masks: NDArray[Any], letters: NDArray[Any], begin: int, end: int
) -> int:  # fmt: skip
    """Length of the longest common subsequence of the words and of one text."""
    number = len(words)
    common = 0
    if number <= _WORD:
        row = np.uint64(0xFFFFFFFFFFFFFFFF)
        for at in range(begin, end):
            met = row & masks[letters[at]]
            row = (row + met) | (row - met)
        left = ~row
        if number < _WORD:
            left &= (np.uint64(1) << np.uint64(number)) - np.uint64(1)
        while left:
            left &= left - np.uint64(1)
            common += 1
    else:
        lengths = np.zeros(number + 1, np.int32)
        for at in range(begin, end):
            above = 0
            for place in range(number):
                kept = lengths[place + 1]
                if words[place] == letters[at]:
                    lengths[place + 1] = above + 1
                elif lengths[place] > kept:
                    lengths[place + 1] = lengths[place]
                above = kept
        common = lengths[number]
    return common


@compiled
def _nearest(
    words: NDArray[Any], letters: NDArray[Any], starts: NDArray[Any],
    letter_starts: NDArray[Any], letter_holders: NDArray[Any], letter_counts: NDArray[Any],
    masks: NDArray[Any], shared: NDArray[Any],
) -> tuple[int, float]:  # fmt: skip
    """The text nearest to the words by letters; `masks` and `shared` are zeros, and are left so."""
    touched = np.empty(len(shared), np.int32)
    found = 0
    for place in range(len(words)):
        letter = words[place]
        repeated = 1
        for earlier in range(place):
            if words[earlier] == letter:
                repeated += 1
        if letter < 0:
            continue
        if place < _WORD:
            masks[letter] |= np.uint64(1) << np.uint64(place)
        for each in range(letter_starts[letter], letter_starts[letter + 1]):
            if letter_counts[each] >= repeated:
                holder = letter_holders[each]
                if shared[holder] == 0:
                    touched[found] = holder
                    found += 1
                shared[holder] += 1
    best, value = -1, 0.0
    first, promised = -1, 0.0
    for each in range(found):
        text = touched[each]
        bound = 2.0 * shared[text] / (len(words) + starts[text + 1] - starts[text])
        if bound > promised:
            first, promised = text, bound
    # The one that shares most letters is asked first: what it reaches spares most of the others.
    for each in range(-1, found):
        text = touched[each] if each >= 0 else first
        if text < 0:
            continue
        size = len(words) + starts[text + 1] - starts[text]
        bound = 2.0 * shared[text] / size
        if bound > value or (bound == value and text < best):
            alike = 2.0 * _in_common(words, masks, letters, starts[text], starts[text + 1]) / size
            if alike > value or (alike == value and text < best):
                best, value = text, alike
    for each in range(found):
        shared[touched[each]] = 0
    for place in range(len(words)):
        if words[place] >= 0:
            masks[words[place]] = 0
    return best, value


@compiled
def _meanings(
    grams: NDArray[Any], gram_ends: NDArray[Any], unknown: NDArray[Any],
    spelt: NDArray[Any], spelt_starts: NDArray[Any],
    gram_starts: NDArray[Any], gram_holders: NDArray[Any], weights: NDArray[Any], masses: NDArray[Any],
    meanings: NDArray[Any],
    letters: NDArray[Any], starts: NDArray[Any],
    letter_starts: NDArray[Any], letter_holders: NDArray[Any], letter_counts: NDArray[Any], alphabet: int,
    found_meanings: NDArray[Any], found_values: NDArray[Any],
) -> None:  # fmt: skip
    """Fill in the meanings of each of some words, best first, and how alike they are."""
    number = len(masses)
    shared, counts, masks = np.zeros(number), np.zeros(number, np.int32), np.zeros(alphabet, np.uint64)
    pool, values = np.empty(POOL + 1, np.int64), np.empty(POOL + 1)
    for asked in range(len(unknown)):
        mass = unknown[asked]
        for at in range(gram_ends[asked], gram_ends[asked + 1]):
            gram = grams[at]
            mass += weights[gram]
            for each in range(gram_starts[gram], gram_starts[gram + 1]):
                shared[gram_holders[each]] += weights[gram]
        words = spelt[spelt_starts[asked] : spelt_starts[asked + 1]]
        held = 0
        for text in range(number):
            if shared[text] == 0.0:
                continue
            alike = shared[text] / masses[text] * (0.3 + 0.7 * shared[text] / mass)
            shared[text] = 0.0
            if held == POOL and alike <= values[POOL - 1]:
                continue
            at = held if held < POOL else POOL - 1
            while at > 0 and values[at - 1] < alike:
                pool[at], values[at] = pool[at - 1], values[at - 1]
                at -= 1
            pool[at], values[at] = text, alike
            held = min(held + 1, POOL)
        if held == 0:
            continue
        nearest, _ = _nearest(words, letters, starts, letter_starts, letter_holders, letter_counts, masks, counts)
        known = False
        for each in range(held):
            known |= pool[each] == nearest
        if not known and nearest >= 0:
            pool[held], values[held] = nearest, 0.0
            held += 1
        for place in range(min(len(words), _WORD)):
            if words[place] >= 0:
                masks[words[place]] |= np.uint64(1) << np.uint64(place)
        for each in range(held):
            text = pool[each]
            size = starts[text + 1] - starts[text]
            common = _in_common(words, masks, letters, starts[text], starts[text + 1])
            ratio = 2.0 * common / (len(words) + size)
            if common == size and size == len(words):
                values[each] = 1.0
            else:
                values[each] = 0.97 * max(values[each], 0.9 * ratio * ratio)
        for place in range(min(len(words), _WORD)):
            if words[place] >= 0:
                masks[words[place]] = 0
        _gather(pool, values, held, meanings, found_meanings[asked], found_values[asked])


@inlined
def _gather(
    pool: NDArray[Any], values: NDArray[Any], held: int, meanings: NDArray[Any],
    found_meanings: NDArray[Any], found_values: NDArray[Any],
) -> None:  # fmt: skip
    """Values of texts to values of meanings: of each the best text, and a little for three others that agree."""
    for each in range(1, held):
        text, value = pool[each], values[each]
        at = each
        while at > 0 and values[at - 1] < value:
            pool[at], values[at] = pool[at - 1], values[at - 1]
            at -= 1
        pool[at], values[at] = text, value
    found = 0
    for each in range(held):
        meaning = meanings[pool[each]]
        seen = False
        for earlier in range(each):
            seen |= meanings[pool[earlier]] == meaning
        if seen:
            continue
        lacking, others = 1.0, 0
        for later in range(each + 1, held):
            if others < 3 and meanings[pool[later]] == meaning:
                lacking *= 1.0 - values[later]
                others += 1
        found_meanings[found] = meaning
        found_values[found] = values[each] + (1.0 - values[each]) * 0.15 * (1.0 - lacking)
        found += 1

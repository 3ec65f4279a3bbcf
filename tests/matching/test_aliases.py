"""Aliases: the one nearest by letters is the one that a look at all of them finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz, process

from matching.aliases import POOL, Aliases, grams_of

LETTERS = "保安洁员工司机叉车焊电缝纫厨ab1"
TEXTS = st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=9), min_size=1, max_size=25)


def aliases_of(texts: list[str]) -> Aliases:
    return Aliases(texts, range(len(texts)))


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS, words=st.text(alphabet=LETTERS + "龘xyz", max_size=80))
def test_the_nearest_is_as_near_as_any(texts: list[str], words: str) -> None:
    place, alike = aliases_of(texts).nearest(words)
    ratios = [fuzz.ratio(words, text) / 100 if words else 0.0 for text in texts]
    assert alike == pytest.approx(max(ratios), abs=1e-12)
    assert place == (next(at for at, ratio in enumerate(ratios) if ratio > alike - 1e-12) if alike else -1)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 130])
def test_words_of_any_length_are_compared_exactly(length: int) -> None:
    draw = np.random.default_rng(length)
    texts = ["".join(draw.choice(list(LETTERS), draw.integers(1, 2 * length))) for _ in range(200)]
    aliases = aliases_of(texts)
    for _ in range(20):
        words = "".join(draw.choice(list(LETTERS), length))
        _, ratio, _ = process.extractOne(words, texts, scorer=fuzz.ratio)
        assert aliases.nearest(words)[1] == pytest.approx(ratio / 100, abs=1e-12)


def test_nothing_shared_is_nothing_near() -> None:
    assert aliases_of(["保安"]).nearest("厨师") == (-1, 0.0)
    assert aliases_of(["保安"]).nearest("") == (-1, 0.0)
    assert aliases_of([]).nearest("保安") == (-1, 0.0)


def test_a_search_leaves_nothing_behind_for_the_next() -> None:
    aliases = aliases_of(["保安员", "保洁员", "叉车司机"])
    alone = [aliases.meanings_of([words]) for words in ("保安", "叉车", "洁")]
    together = aliases.meanings_of(["保安", "叉车", "洁"])
    assert np.array_equal(np.concatenate([meanings for meanings, _ in alone]), together[0])
    assert np.array_equal(np.concatenate([alike for _, alike in alone]), together[1])


def test_meanings_come_once_each_best_first_and_padded() -> None:
    texts = [f"{first}{second}" for first in LETTERS for second in LETTERS]
    aliases = Aliases(texts, [place % 60 for place in range(len(texts))])
    meanings, alike = aliases.meanings_of(["保安员", "龘"])
    assert meanings.shape == alike.shape == (2, POOL + 1)
    found = meanings[0][meanings[0] >= 0]
    assert len(found) == len(set(found.tolist())) > 1
    assert np.all(np.diff(alike[0]) <= 0)
    assert np.array_equal(meanings[0] < 0, alike[0] == 0)
    assert np.all(meanings[1] == -1)


def test_an_entry_far_by_grams_but_near_by_letters_is_among_the_meanings() -> None:
    # Sixty entries share the same letters and have less beside them, but stand the other way round.
    texts = [*(f"丁丙乙甲{chr(ord('一') + place)}" for place in range(60)), "甲子乙丑丙寅丁"]
    meanings, alike = aliases_of(texts).meanings_of(["甲卯乙辰丙巳丁"])
    assert 60 in meanings[0]
    assert alike[0][meanings[0].tolist().index(60)] == pytest.approx(0.97 * 0.9 * (8 / 14) ** 2)


def test_grams_are_runs_of_one_to_three_characters() -> None:
    assert grams_of("保安员") == {"保", "安", "员", "保安", "安员", "保安员"}
    assert grams_of("") == frozenset()

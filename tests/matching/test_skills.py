"""Titles as sets of character pairs: taken apart all at once as each by itself, joined as from the start."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matching.skills import TitleWords, character_pairs, pieces_of
from tests.matching import brute_force

EXAMPLES = settings(max_examples=200, deadline=None)
SIGNS = "急招聘诚高薪直保安洁人员工师傅的（）()【、_ -\0\nAaß²ΣσİÅﬁ㍿🙂𠀀\ud800"
TEXTS = st.text(alphabet=SIGNS, max_size=12) | st.text(max_size=6)
TITLES = st.lists(TEXTS, max_size=12)


def sets_of(words: TitleWords, name: str) -> list[set[str]]:
    """The pairs of each title ("whole") or piece, as they lie in the columns."""
    starts, holders = (words.columns[f"{name}_{each}"] for each in ("starts", "holders"))
    sizes = words.columns[f"{name}_sizes"]
    found: list[set[str]] = [set() for _ in sizes]
    for place, pair in enumerate(words.pairs):
        for holder in holders[starts[place] : starts[place + 1]]:
            found[holder].add(pair)
    assert [len(each) for each in found] == sizes.tolist()
    return found


@EXAMPLES
@given(text=TEXTS)
@example(text="急招高薪招聘保安人员工")
@example(text="招招人、工人员、急招工")
def test_pieces_are_those_of_the_plain_rule(text: str) -> None:
    assert list(pieces_of(text)) == brute_force.pieces_of(brute_force.plain(text))


@EXAMPLES
@given(titles=TITLES)
@example(titles=["安保", "保安"])
def test_titles_taken_apart_at_once_are_as_each_by_itself(titles: list[str]) -> None:
    words = TitleWords.of(titles)
    assert sets_of(words, "whole") == [set(character_pairs(title)) for title in titles]
    pieces = [(number, piece) for number, title in enumerate(titles) for piece in pieces_of(title)]
    assert sets_of(words, "piece") == [brute_force.pairs_of(piece) for _, piece in pieces]
    assert words.columns["title_of"].tolist() == [number for number, _ in pieces]


@EXAMPLES
@given(parts=st.lists(TITLES, min_size=1, max_size=4), base=st.integers(0, 9))
def test_joined_sets_are_those_of_all_titles(parts: list[list[str]], base: int) -> None:
    before = np.cumsum([base, *(len(part) for part in parts)]).tolist()
    joined = TitleWords.joined([TitleWords.of(part, start) for part, start in zip(parts, before, strict=False)])
    whole = TitleWords.of([title for part in parts for title in part], base)
    assert joined.base == base
    assert len(joined) == len(whole)
    assert set(joined.pairs) == set(whole.pairs)
    assert joined.columns["title_of"].tolist() == whole.columns["title_of"].tolist()
    for name in ("whole", "piece"):
        assert sets_of(joined, name) == sets_of(whole, name)
    assert {name: column.dtype for name, column in joined.columns.items()} == {
        name: column.dtype for name, column in whole.columns.items()
    }
    assert not any(column.flags.writeable for column in joined.columns.values())

"""How long a text message is, by itself and whatever is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.segments import MANY_PARTS, ONE_PART, count_parts, count_units, cut

# Repeated, so that some have many parts.
SHORT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("字😀👨‍👩‍👧é"), max_size=40)
TEXTS = st.builds(lambda text, times: text * times, SHORT, st.integers(1, 12))


@pytest.mark.parametrize(
    ("text", "units", "parts"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("字" * 70, 70, 1),
        ("字" * 71, 71, 2),
        ("字" * 134, 134, 2),
        ("字" * 135, 135, 3),
        ("字" * 68 + "😀", 70, 1),
        ("字" * 69 + "😀", 71, 2),
        ("𠮷", 2, 1),
        ("\ud83d", 1, 1),
    ],
)
def test_a_character_is_a_unit_and_an_emoji_two(text: str, units: int, parts: int) -> None:
    assert (count_units(text), count_parts(text)) == (units, parts)


@given(TEXTS)
def test_parts_hold_the_whole_text_and_none_too_many(text: str) -> None:
    units, parts = count_units(text), count_parts(text)
    assert units == sum(2 if ord(sign) > 0xFFFF else 1 for sign in text)
    if parts <= 1:
        assert units <= ONE_PART
        assert (parts == 0) is (text == "")
    else:
        assert ONE_PART < units <= MANY_PARTS * parts
        assert units > MANY_PARTS * (parts - 1)


@given(TEXTS, TEXTS)
def test_a_longer_text_never_has_fewer_parts(text: str, more: str) -> None:
    assert count_parts(text) <= count_parts(text + more)


@given(TEXTS, st.integers(1, 120))
def test_what_is_cut_fits_and_keeps_what_it_can(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert count_units(short) <= longest
    if count_units(text) <= longest:
        assert short == text
    else:
        assert short.endswith("…")
        assert text.startswith(short[:-1])
        short.encode()  # no character is cut in two


def test_a_text_cannot_be_cut_to_nothing() -> None:
    with pytest.raises(ValueError, match="length"):
        cut("字", 0)

"""Unified social credit codes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.employers import is_social_credit_code

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BODIES = st.text(alphabet=ALPHABET, min_size=17, max_size=17)


def with_check(body: str) -> str:
    return next(body + sign for sign in ALPHABET if is_social_credit_code(body + sign))


@given(BODIES)
def test_each_body_has_one_check_character(body: str) -> None:
    assert sum(is_social_credit_code(body + sign) for sign in ALPHABET) == 1


@given(BODIES, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_sign_is_always_noticed(body: str, place: int, sign: str) -> None:
    code = with_check(body)
    assume(code[place] != sign)
    assert not is_social_credit_code(code[:place] + sign + code[place + 1 :])


def test_the_check_character_is_that_of_the_standard() -> None:
    # Worked by hand from GB 32100-2015 section 5: the weights are powers of 3 modulo 31, the check 31 minus the rest.
    body = "91500000MA5U00000"
    total = sum(ALPHABET.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    assert is_social_credit_code(body + ALPHABET[(31 - total % 31) % 31])


@pytest.mark.parametrize(
    "code",
    ["", "9150000000000000", "91500000MA5U000O0X", "91500000ma5u00000x", "９1500000MA5U00000X", "91500000MA5UI0000X"],
)
def test_other_lengths_and_letters_are_no_code(code: str) -> None:
    assert not is_social_credit_code(code)

"""Tokens for machines, codes for people."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.tokens import CODE_ALPHABET, clean_code, new_code, new_pin, new_token, same_token, token_digest


def test_tokens_are_long_url_safe_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(len(token) == 43 and set(token) <= set(string.ascii_letters + string.digits + "-_") for token in tokens)


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        new_token(15)
    with pytest.raises(ValueError, match="4"):
        new_code(3)
    with pytest.raises(ValueError, match="4"):
        new_pin(3)


def test_a_digest_does_not_hold_the_token_and_tells_tokens_apart() -> None:
    # SHA-256 of "abc", FIPS 180-4 appendix B.1.
    assert token_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert same_token(token_digest("abc"), token_digest("abc"))
    assert not same_token(token_digest("abc"), token_digest("abd"))


def test_comparing_takes_any_text_that_a_client_may_send() -> None:
    assert not same_token("口令", "token")


def test_codes_hold_no_character_that_is_taken_for_another() -> None:
    codes = "".join(new_code() for _ in range(300))
    assert set(codes) <= set(CODE_ALPHABET)
    assert not set(CODE_ALPHABET) & set("01OIL")
    # 2,400 draws from 31 symbols miss one with a probability below 1e-30.
    assert set(codes) == set(CODE_ALPHABET)


def test_pins_are_digits_and_keep_leading_zeros() -> None:
    pins = [new_pin() for _ in range(500)]
    assert all(len(pin) == 6 and pin.isdecimal() and pin.isascii() for pin in pins)
    assert any(pin.startswith("0") for pin in pins)


@pytest.mark.parametrize("typed", ["abcd-2345", " ABCD 2345 ", "ａｂｃｄ－２３４５", "AbCd2345\n".strip()])
def test_a_code_is_understood_however_it_was_typed(typed: str) -> None:
    assert clean_code(typed) == "ABCD2345"


@given(st.integers(4, 40))
def test_cleaning_leaves_a_fresh_code_alone(length: int) -> None:
    code = new_code(length)
    assert len(code) == length
    assert clean_code(code) == code

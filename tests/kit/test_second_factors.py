"""Second factors: the codes of RFC 6238, each taken once."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from app.kit.second_factors import STEP_S, accepted_step, factor_code, factor_uri, new_factor_secret

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("seconds", "code"), [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")])
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    """RFC 6238, appendix B, the last six digits."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert factor_code(RFC_SECRET, at=at) == code
    assert accepted_step(RFC_SECRET, code, now=at, after=None) == seconds // STEP_S


def test_a_clock_may_be_half_a_minute_off_and_a_code_is_taken_once() -> None:
    secret, now = new_factor_secret(), datetime(2026, 12, 1, tzinfo=UTC)
    step = timedelta(seconds=STEP_S)
    for off in (-1, 0, 1):
        assert accepted_step(secret, factor_code(secret, at=now + off * step), now=now, after=None) is not None
    for off in (-2, 2):
        assert accepted_step(secret, factor_code(secret, at=now + off * step), now=now, after=None) is None
    taken = accepted_step(secret, factor_code(secret, at=now), now=now, after=None)
    assert accepted_step(secret, factor_code(secret, at=now), now=now, after=taken) is None
    assert accepted_step(secret, factor_code(secret, at=now + step), now=now, after=taken) is not None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 456"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert accepted_step(RFC_SECRET, typed, now=datetime.fromtimestamp(59, UTC), after=None) is None


def test_an_authenticator_reads_the_secret_from_a_uri() -> None:
    assert factor_uri("ABC", account="wang-01") == (
        "otpauth://totp/%E5%B0%B1%E8%BF%91%3Awang-01?secret=ABC&issuer=%E5%B0%B1%E8%BF%91"
    )

"""Page tokens: read back as written, by the list that wrote them and no other."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token

NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.text(st.characters(exclude_categories=["Cs"])), NUMBERS)
def test_a_token_is_read_back_as_it_was_written(text: str, number: int) -> None:
    token = write_page_token(text, number, of="list")
    assert read_page_token(token, of="list", shape=(str, int)) == [text, number]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é",
        "!!!!",
        base64.urlsafe_b64encode(b"\xff\xff").decode(),
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"1").decode(),
        base64.urlsafe_b64encode(b'["list", true]').decode(),
        base64.urlsafe_b64encode(b'["list", 1e999]').decode(),
        base64.urlsafe_b64encode(b'["list", ' + b"9" * 5_000 + b"]").decode(),
        write_page_token(1, of="other"),
        write_page_token("1", of="list"),
        write_page_token(1, 2, of="list"),
    ],
    ids=lambda token: token[:24],
)
def test_what_the_list_did_not_give_out_is_refused_and_names_the_parameter(token: str) -> None:
    with pytest.raises(BadPageToken) as caught:
        read_page_token(token, of="list", shape=(int,), field="since")
    assert [(field.field, field.code) for field in caught.value.fields] == [("since", "bad_page_token")]
    assert token not in str(caught.value.problem()) or not token

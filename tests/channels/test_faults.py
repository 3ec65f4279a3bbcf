"""Whatever a provider does, each channel says what the table in docs/channels.md says, and costs no memory."""

import re
import socket
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.channels.calls import LONGEST_RETRY_S, Caller, Failure, read_json_object, retry_after_s
from app.domain.pushes import Outcome, Sender
from app.kit.clock import FixedClock
from tests.channels.conftest import NETWORK, Make, a_message, hurry
from tests.channels.provider import Fault, Misbehaviour, Provider, http_date

DOCUMENT = Path(__file__).parents[2] / "docs" / "channels.md"
ROW = re.compile(r"^\| `(?P<fault>\w+)` \|[^|]*\| (?P<outcome>[A-Z]+) \| `(?P<code>[^`]+)` \|", re.MULTILINE)


def documented() -> dict[str, tuple[Outcome, str]]:
    """Outcome and code of each fault, as the document tells them."""
    rows = ROW.finditer(DOCUMENT.read_text(encoding="utf-8"))
    return {row["fault"]: (Outcome[row["outcome"]], row["code"]) for row in rows}


def test_every_fault_is_documented() -> None:
    assert set(documented()) == {*Fault, "refused_connection", "no_such_name", "no_tls"}


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("fault", list(Fault))
def test_each_fault_has_its_outcome_on_every_channel(
    sender: Sender,
    provider: Provider,
    fault: Fault,
    takes: bool,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With WeChat the token is there: what goes wrong is the message.
    assert sender.send(a_message("warm-up")).outcome is Outcome.ACCEPTED
    provider.misbehave(Misbehaviour(fault, takes))
    with monkeypatch.context() as hasty:
        hurry(sender, fault, clock, hasty)
        report = sender.send(a_message())
    outcome, code = documented()[fault]
    assert report.outcome is outcome
    assert re.fullmatch(code.replace("NNN", r"\d{3}"), report.code)
    assert report.provider == sender.provider
    assert (report.retry_after_s is not None) is (outcome is Outcome.BUSY)
    assert provider.taken()["push-1"] == int(takes)
    assert not provider.problems
    # And the next one passes.
    assert sender.send(a_message("push-2")).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_while_asking_for_a_token_is_definite(
    provider: Provider, make_sender: Make, fault: Fault, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = make_sender("wechat", provider.url)
    hurry(sender, fault, clock, monkeypatch)
    provider.misbehave(Misbehaviour(fault, takes=False))
    report = sender.send(a_message())
    assert report.outcome is Outcome.BUSY
    assert report.code.startswith("token_")
    assert report.retry_after_s is not None
    assert not provider.taken()


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_while_asking_what_became_of_it_leaves_it_unclear(
    sender: Sender,
    provider: Provider,
    fault: Fault,
    sent_at: datetime,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sender.send(a_message()).outcome is Outcome.ACCEPTED
    hurry(sender, fault, clock, monkeypatch)
    provider.misbehave(Misbehaviour(fault))
    report = sender.query("push-1", to="13800001111", provider_id=None, sent_at=sent_at)
    assert report.outcome is Outcome.UNCERTAIN


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("fault", ["refused_connection", "no_such_name", "no_tls"])
def test_what_never_left_is_definite_on_every_channel(
    make_sender: Make, provider: Provider, name: str, fault: str, sent_at: datetime
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        address = {
            "refused_connection": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "no_such_name": "http://nowhere.invalid",
            "no_tls": provider.url.replace("http:", "https:"),
        }[fault]
        sender = make_sender(name, address)
        report = sender.send(a_message())
        asked = sender.query("push-1", to="13800001111", provider_id=None, sent_at=sent_at)
    outcome, code = documented()[fault]
    assert (report.outcome, report.code.removeprefix("token_")) == (outcome, code)
    # That nobody can be asked says nothing of a message that left before.
    assert asked.outcome is Outcome.UNCERTAIN
    assert not provider.taken()


@pytest.mark.parametrize("fault", [Fault.HUGE, Fault.PACKED])
def test_an_endless_or_packed_answer_costs_no_memory(sender: Sender, provider: Provider, fault: Fault) -> None:
    sender.send(a_message("warm-up"))
    provider.misbehave(Misbehaviour(fault))
    tracemalloc.start()
    try:
        report = sender.send(a_message())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.outcome is Outcome.UNCERTAIN
    assert peak < 5_000_000


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999/"])
def test_an_address_that_is_none_never_raises(clock: FixedClock, url: str) -> None:
    failure = Caller(clock).call("POST", url)
    assert isinstance(failure, Failure)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 60),
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("-5", 60),
        ("soon", 60),
        ("９", 60),
        ("86400", LONGEST_RETRY_S),
        ("9" * 5_000, LONGEST_RETRY_S),
        ("Wed, 99 Foo 2026 99:99:99 GMT", 60),
    ],
)
def test_how_long_a_provider_asks_to_be_left_alone(clock: FixedClock, header: str | None, seconds: int) -> None:
    assert retry_after_s(header, now=clock.now()) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90), (-90, 1), (900_000, LONGEST_RETRY_S)])
def test_a_date_to_come_back_is_read_too(clock: FixedClock, ahead: int, seconds: int) -> None:
    until = http_date(clock.now() + timedelta(seconds=ahead))
    assert retry_after_s(until, now=clock.now()) == seconds


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b'{"a":1', b'{"a":1}x', b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":"\xff"}', b"[" * 60_000],
)
def test_json_is_read_to_the_letter(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_json_object(text)

"""Our own shape, by text message and by voice, and the channels that end in our own house."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from app.channels.inbox import InboxSender, SlipSender
from app.channels.recording import RecordingSender
from app.domain.ledger import Channel
from app.domain.pushes import Outcome, Sender
from app.kit.clock import FixedClock
from tests.channels.conftest import Make, a_message
from tests.channels.provider import Fault, Misbehaviour, Provider


@pytest.fixture(params=["gateway", "voice"])
def neutral(request: pytest.FixtureRequest, make_sender: Make, provider: Provider) -> Sender:
    return make_sender(request.param, provider.url)


def test_a_message_goes_out_whole_and_signed(neutral: Sender, provider: Provider) -> None:
    report = neutral.send(a_message())
    assert (report.outcome, report.provider_id, report.segments) == (Outcome.ACCEPTED, "1", 1)
    (body,) = provider.bodies()
    assert body == {
        "key": "push-1",
        "channel": neutral.channel.value,
        "to": "13800001111",
        "template": "push",
        "values": {"title": "小区保安 a~*+&=", "pay": "3千"},
        "text": "【就近】小区保安，3千",
    }


def test_a_key_that_is_sent_again_is_taken_on_once(neutral: Sender, provider: Provider) -> None:
    provider.misbehave(Misbehaviour(Fault.RESET, takes=True))
    assert neutral.send(a_message()).outcome is Outcome.UNCERTAIN
    assert neutral.send(a_message()).provider_id == "1"
    assert provider.taken() == {"push-1": 1}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("accepted", Outcome.ACCEPTED),
        ("delivered", Outcome.DELIVERED),
        ("refused", Outcome.REFUSED),
        ("broken", Outcome.BROKEN),
        ("nonsense", Outcome.UNCERTAIN),
        ("unknown", Outcome.UNCERTAIN),
    ],
)
def test_a_key_can_be_asked_after(
    neutral: Sender, provider: Provider, sent_at: datetime, status: str, outcome: Outcome
) -> None:
    neutral.send(a_message())
    provider.settle("push-1", status)
    assert neutral.query("push-1", to="", provider_id=None, sent_at=sent_at).outcome is outcome


def test_a_key_that_never_arrived_is_unknown(neutral: Sender, provider: Provider, sent_at: datetime) -> None:
    provider.misbehave(Misbehaviour(Fault.RESET, takes=False))
    neutral.send(a_message())
    assert neutral.query("push-1", to="", provider_id=None, sent_at=sent_at).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "answer", "outcome", "wait"),
    [
        (200, {"status": "accepted", "id": "1"}, Outcome.ACCEPTED, None),
        (422, {"status": "refused", "code": "no_credit"}, Outcome.REFUSED, None),
        (422, {"status": "broken", "code": "no_such_number"}, Outcome.BROKEN, None),
        (503, {"status": "refused", "code": "closed"}, Outcome.REFUSED, None),
        (503, {"status": "busy", "retry_after_s": 5}, Outcome.BUSY, 5),
        (503, {"status": "busy", "retry_after_s": 999_999}, Outcome.BUSY, 3_600),
        (503, {"status": "busy", "retry_after_s": "soon"}, Outcome.BUSY, 60),
        (503, {"status": "accepted"}, Outcome.UNCERTAIN, None),
        (200, {"status": "refused"}, Outcome.UNCERTAIN, None),
        (404, {"status": "unknown"}, Outcome.UNCERTAIN, None),
        (404, {"detail": "not found"}, Outcome.UNCERTAIN, None),
        (200, {"status": "uncertain"}, Outcome.UNCERTAIN, None),
        (200, {}, Outcome.UNCERTAIN, None),
    ],
)
def test_what_an_answer_means(
    neutral: Sender, provider: Provider, status: int, answer: object, outcome: Outcome, wait: int | None
) -> None:
    provider.refuse("neutral", status, answer)
    report = neutral.send(a_message())
    assert (report.outcome, report.retry_after_s) == (outcome, wait)


def test_a_wrong_secret_is_refused(neutral: Sender, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neutral, "_secret", "another")
    report = neutral.send(a_message())
    assert (report.outcome, report.code) == (Outcome.REFUSED, "bad_signature")
    assert not provider.taken()


@pytest.mark.parametrize(("sender", "channel"), [(InboxSender(), Channel.INBOX), (SlipSender(), Channel.SLIP)])
def test_what_stays_in_the_house_is_taken_on_and_never_delivered_by_itself(
    sender: Sender, channel: Channel, sent_at: datetime
) -> None:
    assert sender.channel is channel
    assert sender.send(a_message()).outcome is Outcome.ACCEPTED
    assert sender.query("push-1", to="1", provider_id=None, sent_at=sent_at).outcome is Outcome.ACCEPTED


def test_a_recording_keeps_each_text_once_and_no_whole_phone(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "sent.jsonl"
    first, second = (RecordingSender(channel=Channel.SMS, path=path, clock=clock) for _ in range(2))
    assert first.send(a_message()).outcome is Outcome.ACCEPTED
    # Another process, with the same file.
    assert second.send(a_message()).segments == 1
    assert second.send(a_message("push-2")).outcome is Outcome.ACCEPTED
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["key"] for line in lines] == ["push-1", "push-2"]
    assert lines[0]["text"] == "【就近】小区保安，3千"
    assert "13800001111" not in path.read_text(encoding="utf-8")


def test_a_recording_knows_its_keys_and_no_other(tmp_path: Path, clock: FixedClock, sent_at: datetime) -> None:
    sender = RecordingSender(channel=Channel.WECHAT, path=tmp_path / "sent.jsonl", clock=clock)
    sender.send(a_message())
    for key, outcome in (("push-1", Outcome.ACCEPTED), ("push-2", Outcome.UNKNOWN)):
        assert sender.query(key, to="1", provider_id=None, sent_at=sent_at).outcome is outcome


def test_a_recording_that_cannot_be_written_is_busy(tmp_path: Path, clock: FixedClock) -> None:
    sender = RecordingSender(channel=Channel.SMS, path=tmp_path / "nowhere" / "sent.jsonl", clock=clock)
    assert sender.send(a_message()).outcome is Outcome.BUSY

"""What providers tell by themselves: stored raw, answered at once, understood afterwards by a loop.

Nothing is believed that its provider's reader does not know for its own. The path names the provider, or its channel
where that has but one; those who sign nothing have a secret behind it. WeChat asks first, by a GET, whether the address
is ours.
"""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from app.api.houses import CurrentHouse
from app.api.problems import BodyTooLarge, declares
from app.domain.callbacks import (
    Callback,
    CallbackBroken,
    CallbackForged,
    CallbackReader,
    CallbackReplayed,
    CallbackStale,
)
from app.domain.permissions import Action, permits
from app.domain.viewers import EVERYBODY
from app.kit.database import write_session
from app.kit.errors import Busy
from app.usecases.receipts import store_receipt
from app.wiring import House

router = APIRouter(prefix="/api/v1/callbacks", tags=["callbacks"])


_FAULTS = declares(CallbackForged, CallbackStale, CallbackReplayed, CallbackBroken, BodyTooLarge, Busy)
_CHECK_FAULTS = declares(CallbackForged, CallbackStale, CallbackBroken)


@router.get("/{channel}", response_class=PlainTextResponse, responses=_CHECK_FAULTS)
@permits(Action.TELL_RECEIPTS)
async def answer_check(request: Request, house: CurrentHouse, channel: str) -> Response:
    """What WeChat is told when the address is set up there: the `echostr` of its signed question. Changes nothing."""
    return _answer_check(request, house, channel, path_secret=None)


@router.get("/{channel}/{secret}", response_class=PlainTextResponse, responses=_CHECK_FAULTS)
@permits(Action.TELL_RECEIPTS)
async def answer_check_by_secret(request: Request, house: CurrentHouse, channel: str, secret: str) -> Response:
    """As above, at an address with a secret behind it; whoever has such a one asks nothing and learns nothing."""
    return _answer_check(request, house, channel, path_secret=secret)


@router.post("/{channel}", responses=_FAULTS)
@permits(Action.TELL_RECEIPTS)
async def take_callback(request: Request, house: CurrentHouse, channel: str) -> Response:
    """A receipt of delivery, or what somebody texted back; signed by the provider."""
    return await _take(request, house, channel, path_secret=None)


@router.post("/{channel}/{secret}", responses=_FAULTS)
@permits(Action.TELL_RECEIPTS)
async def take_callback_by_secret(request: Request, house: CurrentHouse, channel: str, secret: str) -> Response:
    """As above, of a provider that signs nothing and was given a path that nobody else knows."""
    return await _take(request, house, channel, path_secret=secret)


async def _take(request: Request, house: House, channel: str, *, path_secret: str | None) -> Response:
    reader = _reader(house, channel)
    if reader is None:
        # Who tries names learns no more than who tries signatures.
        raise CallbackForged
    callback = Callback(
        headers=dict(request.headers),
        body=await request.body(),
        query=dict(request.query_params),
        path_secret=path_secret,
    )
    nonce = reader.authenticate(callback)
    await run_in_threadpool(_store, house, reader, callback)
    reader.spend(nonce)
    media_type, acknowledgement = reader.acknowledgement
    return Response(acknowledgement, media_type=media_type)


def _answer_check(request: Request, house: House, channel: str, *, path_secret: str | None) -> Response:
    reader = _reader(house, channel)
    if reader is None:
        raise CallbackForged
    media_type, echo = reader.answer_check(
        Callback(headers=dict(request.headers), body=b"", query=dict(request.query_params), path_secret=path_secret)
    )
    # What was asked in the address is said back: never as a page, whatever it holds.
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(echo, media_type=media_type, headers=headers)


def _reader(house: House, name: str) -> CallbackReader | None:
    """Who reads the callbacks of a provider; a channel's name will do where it has but one provider."""
    if name in house.callbacks:
        return house.callbacks[name]
    of_channel = [reader for reader in house.callbacks.values() if reader.channel.value == name]
    return of_channel[0] if len(of_channel) == 1 else None


def _store(house: House, reader: CallbackReader, callback: Callback) -> None:
    # What a provider tells is stored before anybody knows whom it is about.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        store_receipt(
            session,
            channel=reader.channel,
            provider=reader.provider,
            body=callback.body,
            now=house.clock.now(),
            keys=house.keys,
        )

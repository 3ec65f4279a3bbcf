"""`Idempotency-Key`: a write that is sent twice is done once and answered twice alike.

A key belongs to the client that sent it: what is stored is a digest of client and key, so that nobody is answered with
what somebody else did under the same key.
"""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import Header
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api.answers import private_answer
from app.kit.clock import Clock
from app.usecases.idempotency_keys import do_once

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=100,
        pattern=r"^[\x21-\x7e]+$",
        description="chosen by the client, new for each act; the same key sends the same answer for a day",
    ),
]


def answer_once(
    session: Session,
    deed: Callable[[], tuple[int, dict[str, Any]]],
    *,
    route: str,
    key: str | None,
    client: str,
    request: Any,
    clock: Clock,
    headers: Callable[[dict[str, Any]], dict[str, str]] = lambda _: {},
) -> Response:
    """Do a deed, or give the answer again if this client's key has been here before.

    Args:
        session: the transaction in which the deed is done and its answer stored.
        deed: gives status and document; raises a Fault when it cannot be done, and then the key stays unused.
        route: the route's template.
        key: the client's key; None does the deed without remembering.
        client: tells clients apart.
        request: what was asked, as JSON; another request under the same key is refused.
        clock: for the age of stored answers.
        headers: headers of the answer, made from its document.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    if key is None:
        status, document = deed()
        return private_answer(document, status=status, headers=headers(document))

    def written() -> tuple[int, bytes]:
        status, document = deed()
        return status, orjson.dumps(document)

    answer = do_once(
        session,
        written,
        route=route,
        key=f"{client}|{key}",
        # Hashed together with who sent it, which nobody can guess: by itself a short text could be found by trying.
        request=orjson.dumps([client, request], option=orjson.OPT_SORT_KEYS),
        now=clock.now(),
    )
    document = orjson.loads(answer.content)
    replayed = {"Idempotency-Replayed": "true"} if answer.is_replay else {}
    return private_answer(document, status=answer.status, headers={**headers(document), **replayed})

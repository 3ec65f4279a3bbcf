"""What a seeker has answered so far, kept in one cookie on the seeker's own phone and nowhere else.

Before anything is answered a question's page sets the cookie empty: an answer that then comes without it is from a
phone that keeps none.

Whatever comes out of the cookie is a stranger's input: each field is checked again, and one that does not hold is as
if it had not been answered.
"""

import base64
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from fastapi import Request, Response

from app.domain.areas import is_area_code
from app.domain.workers import WORKING_AGE, Limit

COOKIE = "jiujin"
KEPT_DAYS = 30
HIGHEST_AGE = 100
LONGEST_WORDS = 40

_CERTIFICATE = re.compile(r"\w{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of one phone. None is not asked yet; `words` "" means any work.

    `home` is an area's code, `age` in whole years (16-100), `certificates` are those held, `large` means larger type.
    """

    home: str | None = None
    age: int | None = None
    words: str | None = None
    limits: frozenset[Limit] = frozenset()
    certificates: frozenset[str] = frozenset()
    large: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing about the person has been answered."""
        return replace(self, large=False) == Answers()


def read_answers(request: Request) -> Answers:
    """The answers that came with a request; without a usable cookie none."""
    try:
        written = json.loads(_unpack(request.cookies.get(COOKIE, "")))
    except (ValueError, RecursionError):
        return Answers()
    return _checked(written) if isinstance(written, dict) else Answers()


def keeps_answers(request: Request) -> bool:
    """Whether the phone has sent the cookie back, which every question's page sets: some keep none."""
    return COOKIE in request.cookies


def write_answers(response: Response, answers: Answers, *, secure: bool) -> None:
    """Keep the answers on the phone for 30 days. `secure` keeps the cookie off plain HTTP."""
    response.set_cookie(
        COOKIE, _pack(answers), max_age=KEPT_DAYS * 86_400, path="/", secure=secure, httponly=True, samesite="lax"
    )


def clear_answers(response: Response, *, secure: bool) -> None:
    """Forget everything that the phone keeps, also the pages that the browser keeps a copy of."""
    response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
    # Otherwise the back button shows the last person's list to the next one at a shared phone.
    response.headers["Clear-Site-Data"] = '"cache"'


def held_certificates(names: Iterable[Any]) -> frozenset[str]:
    """Those of some names that certificates may bear, at most twenty; a strange name opens nothing."""
    return frozenset(islice((name for name in names if isinstance(name, str) and _CERTIFICATE.fullmatch(name)), 20))


def clean_words(text: str) -> str:
    """Words as typed, on one line, without what cannot be shown, cut to 40 characters."""
    return one_line(text)[:LONGEST_WORDS].strip()


def one_line(text: str) -> str:
    """Text on one line, with single spaces and without control characters."""
    return "".join(char for char in " ".join(text.split()) if unicodedata.category(char) not in ("Cc", "Cs"))


def _pack(answers: Answers) -> str:
    written: dict[str, Any] = {
        "home": answers.home,
        "age": answers.age,
        "words": answers.words,
        "limits": sorted(answers.limits),
        "certificates": sorted(answers.certificates),
        "large": answers.large,
    }
    text = json.dumps({name: value for name, value in written.items() if value not in (None, [], False)})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(cookie: str) -> str:
    return base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)).decode()


def _checked(written: dict[str, Any]) -> Answers:
    home, age, words, limits = (written.get(name) for name in ("home", "age", "words", "limits"))
    certificates = written.get("certificates")
    known = {limit.value: limit for limit in Limit}
    return Answers(
        home=home if isinstance(home, str) and is_area_code(home) else None,
        age=age if type(age) is int and WORKING_AGE <= age <= HIGHEST_AGE else None,
        words=clean_words(words) if isinstance(words, str) else None,
        limits=frozenset(known[limit] for limit in limits if isinstance(limit, str) and limit in known)
        if isinstance(limits, list)
        else frozenset(),
        certificates=held_certificates(certificates if isinstance(certificates, list) else []),
        large=written.get("large") is True,
    )

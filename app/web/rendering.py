"""From a template and values to an answer: the environment, the frame that every page shares, and error pages.

A page depends on the cookie, so shared caches never keep it; browsers may, but ask first, and are told 304 when nothing
has changed: on a village line that saves most of the second look.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.kit.errors import Fault
from app.web import wording
from app.web.answers import Answers, clear_answers, keeps_answers, read_answers, write_answers
from app.web.assets import asset_url
from app.web.origins import FORM_TOKEN, form_token
from app.web.visitors import LoginDue, token_in

_FRAME_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
UNKEPT_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
"""Of what lies behind a secret address: no copy stays, and no search engine lists it."""


# A script or a sheet runs only where this answer has named it: not what somebody has put into a page, nor anything else
# that may come to lie on this site. Nothing is made of text at run time (Trusted Types).
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_NONCE_BYTES = 16


def _build_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset_url"] = asset_url
    environment.globals["wording"] = wording
    return environment


_ENVIRONMENT = _build_environment()


def render(
    request: Request, template: str, *, status: int = 200, asks: bool = False, kept: bool = True, **values: Any
) -> Response:
    """A page. `template` is a file's name in `templates/`; `answers` and `here` are there without being given.

    `asks`: the page holds a question, so it sets the empty cookie where there is none, to find out whether it stays.
    `kept`: browsers may keep a copy; not where the page's address is a secret of one person.
    """
    answers, nonce = read_answers(request), secrets.token_urlsafe(_NONCE_BYTES)
    text = _ENVIRONMENT.get_template(template).render(
        answers=answers, here=_here(request), nonce=nonce, **_let_in(request), **values
    )
    if kept:
        response = _answer_page(request, text, status=status, nonce=nonce)
    else:
        response = _answer_unkept(text, status=status, nonce=nonce)
    if asks and not keeps_answers(request):
        write_answers(response, Answers(), secure=request.url.scheme == "https")
    return response


def _let_in(request: Request) -> dict[str, Any]:
    """Whether somebody is logged in here, and what stands in each form then."""
    token = token_in(request)
    if token is None:
        return {"is_let_in": False, "form_token": ""}
    return {"is_let_in": True, "form_token": _HIDDEN.format(FORM_TOKEN, form_token(request.app.state.house, token))}


_HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')


def _answer_page(request: Request, text: str, *, status: int, nonce: str) -> Response:
    headers = {**_FRAME_HEADERS, **_policy(nonce)}
    if status != 200:
        return HTMLResponse(text, status, headers=headers)
    # Weak: the middleware that compresses changes the bytes and not the page. The nonce is no part of the page: a copy
    # that is still good is shown again with its own, under the policy that came with it.
    etag = f'W/"{hashlib.sha256(text.replace(nonce, "").encode()).hexdigest()[:24]}"'
    if etag in {known.strip() for known in request.headers.get("If-None-Match", "").split(",")}:
        return Response(status_code=304, headers={**_FRAME_HEADERS, "ETag": etag})
    return HTMLResponse(text, headers={**headers, "ETag": etag})


def _answer_unkept(text: str, *, status: int, nonce: str) -> Response:
    return HTMLResponse(text, status, headers={**_FRAME_HEADERS, **_policy(nonce), **UNKEPT_HEADERS})


def _policy(nonce: str) -> dict[str, str]:
    return {"Content-Security-Policy": _POLICY.format(nonce=nonce)}


def render_problem(request: Request, fault: Fault) -> Response:
    """A fault as a page in words a person understands. A field's own message is shown where there is one.

    Who has to log in first is led to the door, and from there back.
    """
    if isinstance(fault, LoginDue):
        return see_other(request, f"/login?{urlencode({'back': fault.back})}")
    messages = [field.message for field in getattr(fault, "fields", ())]
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    text = _ENVIRONMENT.get_template("problem.html").render(
        answers=read_answers(request),
        here="/",
        nonce=nonce,
        **_let_in(request),
        title=fault.title,
        messages=messages or ([fault.detail] if fault.detail else []),
        status=fault.status,
    )
    headers = {**fault.headers, **_FRAME_HEADERS, **_policy(nonce), "Cache-Control": "no-store"}
    return HTMLResponse(text, fault.status, headers=headers)


def see_other(request: Request, path: str, *, answers: Answers | None = None) -> Response:
    """Lead on after a form: 303 to a path of this site. `answers` are kept on the phone; empty ones clear it."""
    response = RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})
    secure = request.url.scheme == "https"
    if answers == Answers():
        clear_answers(response, secure=secure)
    elif answers is not None:
        write_answers(response, answers, secure=secure)
    return response


def _here(request: Request) -> str:
    """The page's own address, to come back to after changing the type size; a form's page where the form failed."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query and request.method == "GET" else "")

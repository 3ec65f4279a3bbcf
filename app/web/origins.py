"""Where a form comes from and where it leads: never another site's page, in neither direction.

The cookie is SameSite=Lax already; this is the second lock. A client that names no origin at all is no browser that
could be tricked, and is let through. The third is a token in each form of who is logged in, which only the pages of
this very session hold.
"""

import re
from urllib.parse import urlsplit

from fastapi import Request

from app.kit.errors import Forbidden
from app.kit.keys import is_keyed_digest, keyed_digest
from app.web.visitors import token_in
from app.wiring import House

FORM_TOKEN = "form_token"  # noqa: S105  a field's name
_PURPOSE = "form"
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)


class ForeignForm(Forbidden):
    """The form was sent from a page of another site."""

    code = "foreign_form"
    title = "请从本站的页面提交"


class FormStale(Forbidden):
    """The form is of another session than the one in which it was sent, or of none."""

    code = "form_stale"
    title = "这个页面打开太久了，请刷新以后再点一次"


def form_token(house: House, token: str) -> str:
    """What stands in the forms of a session, made of its token and of no use without it."""
    return keyed_digest(house.keys, token, purpose=_PURPOSE)


async def refuse_foreign_forms(request: Request) -> None:
    """Let a request pass that changes nothing, or that comes from this site's own pages.

    `async`, or the framework would hand it to a thread on every request.

    Raises:
        ForeignForm: another site's page sent it.
        FormStale: who is logged in sent it from a page that is not of this session.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    house: House = request.app.state.house
    _refuse_foreign_origin(request, house)
    token = token_in(request)
    if token is not None:
        given = (await request.form()).get(FORM_TOKEN)
        if not isinstance(given, str) or not is_keyed_digest(house.keys, given, token, purpose=_PURPOSE):
            raise FormStale


def _refuse_foreign_origin(request: Request, house: House) -> None:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForeignForm
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    # A proxy may have rewritten Host; the public address then tells who we are.
    ours = {request.headers.get("Host", ""), urlsplit(house.settings.effective_public_url).netloc}
    if origin not in {f"{scheme}://{host}" for host in ours if host for scheme in ("http", "https")}:
        raise ForeignForm


def local_path(path: str) -> str | None:
    """`path` if it leads to a page of this site, else None: a form's way back must never lead elsewhere."""
    return path if _LOCAL_PATH.fullmatch(path) else None

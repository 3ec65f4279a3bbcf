"""Where a form comes from and where it leads: never another site's page, in neither direction.

The cookie is SameSite=Lax already; this is the second lock. A client that names no origin at all is no browser that
could be tricked, and is let through.
"""

import re
from urllib.parse import urlsplit

from fastapi import Request

from app.kit.errors import Forbidden
from app.wiring import House

_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)


class ForeignForm(Forbidden):
    """The form was sent from a page of another site."""

    code = "foreign_form"
    title = "请从本站的页面提交"


async def refuse_foreign_forms(request: Request) -> None:
    """Let a request pass that changes nothing, or that comes from this site's own pages.

    `async`, or the framework would hand it to a thread on every request.

    Raises:
        ForeignForm: another site's page sent it.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForeignForm
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    house: House = request.app.state.house
    # A proxy may have rewritten Host; the public address then tells who we are.
    ours = {request.headers.get("Host", ""), urlsplit(house.settings.effective_public_url).netloc}
    if origin not in {f"{scheme}://{host}" for host in ours if host for scheme in ("http", "https")}:
        raise ForeignForm


def local_path(path: str) -> str | None:
    """`path` if it leads to a page of this site, else None: a form's way back must never lead elsewhere."""
    return path if _LOCAL_PATH.fullmatch(path) else None

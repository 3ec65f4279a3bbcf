"""The style sheet, the script and the icon, served under names that carry a digest of their content.

A file's address changes with its content, so browsers may keep it for a year; the files are read once, at import.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from app.domain.permissions import Action, permits
from app.kit.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str


def _read_assets() -> tuple[dict[str, str], dict[str, _Asset]]:
    addresses, assets = {}, {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _MEDIA_TYPES:
            content = path.read_bytes()
            name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
            addresses[path.name] = f"/static/{name}"
            assets[name] = _Asset(content, _MEDIA_TYPES[path.suffix])
    return addresses, assets


_ADDRESSES, _ASSETS = _read_assets()


def asset_url(name: str) -> str:
    """The address of a static file, such as `/static/pages.3f2a90b1c4d5.css`. Raises KeyError when there is none."""
    return _ADDRESSES[name]


def mount_static(app: FastAPI) -> None:
    """Serve the static files under `/static/`."""
    app.add_route("/static/{name}", _serve_asset, include_in_schema=False)


@permits(Action.SEE_ASSETS)
async def _serve_asset(request: Request) -> Response:
    asset = _ASSETS.get(request.path_params["name"])
    if asset is None:
        raise NotFound
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": _A_YEAR})

"""`/static`: the scripts, styles and icons of the page, held in memory."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from clipsearch.web.problems import Problem

FOLDER = Path(__file__).with_name("static")

MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    "": "text/plain",  # the licenses
}
"""By suffix; the tables of the operating system differ."""

FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """The contents of the files by their names, and a version that changes with any of them."""

    contents: dict[str, bytes]
    version: str


@cache
def static_files() -> StaticFiles:
    """Read the files of the package."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    contents = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return StaticFiles(contents, digest.hexdigest()[:12])


def static_base() -> str:
    """Return the path that the addresses of the files begin with."""
    return f"/static/{static_files().version}"


@router.get("/static/{version}/{name:path}")
async def get_static_file(version: str, name: str) -> Response:
    """Return a file; only the address with the present version may be cached."""
    files = static_files()
    content = files.contents.get(name)
    if content is None:
        raise Problem(404, "there is no such file")
    caching = FOREVER if version == files.version else "no-store"
    media_type = MEDIA_TYPES[Path(name).suffix]
    return Response(content, headers={"Cache-Control": caching}, media_type=media_type)

"""Tar shards of drawn images, as WebDataset has them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image

Color = str | tuple[int, int, int]
Mode = Literal["w", "w:gz"]


def image_bytes(color: Color, *, size: tuple[int, int] = (32, 24), format_: str = "PNG") -> bytes:
    """Return an image file of one color."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, format_)
    return out.getvalue()


def write_tar(
    path: Path,
    members: Iterable[tuple[str, bytes | tarfile.TarInfo]],
    mode: Mode = "w",
) -> Path:
    """Write an archive with these members, files or special ones, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(data, bytes) else data
            if isinstance(data, bytes):
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return path


def sample(key: str, color: Color, **fields: Any) -> list[tuple[str, bytes]]:
    """Return the members of one sample: its image, and its JSON if there are fields."""
    members = [(f"{key}.png", image_bytes(color))]
    return [*members, (f"{key}.json", to_json(fields))] if fields else members


def to_json(fields: Mapping[str, Any]) -> bytes:
    """Return a JSON object."""
    return json.dumps(fields).encode()

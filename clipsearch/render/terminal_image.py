"""Images in a terminal: kitty's and iTerm2's protocols, or colored half blocks.

Protocols: sw.kovidgoyal.net/kitty/graphics-protocol and iterm2.com/documentation-images.html.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.records import Hit
from clipsearch.render.display_text import display_path, format_scores

GraphicsProtocol: TypeAlias = Literal["kitty", "iterm", "blocks"]

_KITTY_CHUNK = 4096  # bytes of base64, the maximum in one escape sequence of kitty
_KONSOLE_WITH_KITTY = 220400  # Konsole 22.04
_CELL_ASPECT = 2  # a terminal cell is about twice as high as wide
_PIXELS_PER_COLUMN = 12  # enough for a cell of a display with two device pixels per point
_MAX_COLUMNS, _MAX_ROWS = 40, 14  # of one image


def detect_protocol(environ: Mapping[str, str], *, isatty: bool) -> GraphicsProtocol | None:
    """The protocol of this terminal by its environment variables; None if there is none.

    tmux and screen pass no graphics protocol through. There, and in other terminals that declare
    24-bit color, images are drawn in half blocks.
    """
    if not isatty or environ.get("TERM") == "dumb":
        return None
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    multiplexed = "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen"))
    if not multiplexed:
        konsole = environ.get("KONSOLE_VERSION", "")
        if (
            term in {"xterm-kitty", "xterm-ghostty"}
            or program == "ghostty"
            or "KITTY_WINDOW_ID" in environ
            or (konsole.isdecimal() and int(konsole) >= _KONSOLE_WITH_KITTY)
        ):
            return "kitty"
        if program in {"iTerm.app", "WezTerm", "mintty"} or "ITERM_SESSION_ID" in environ:
            return "iterm"
    if environ.get("COLORTERM") in {"truecolor", "24bit"} or "WT_SESSION" in environ:
        return "blocks"
    return None


def preview_hits(
    hits: Sequence[Hit],
    protocol: GraphicsProtocol | None,
    *,
    start: int = 1,
    relative_to: Path | None = None,
) -> Iterator[str]:
    """For each hit, a line with rank, scores and path, then its image and a blank line.

    Raises UsageError at the first step if `protocol` is None.
    """
    if protocol is None:
        raise UsageError(
            "this terminal cannot show images: use --sheet FILE.html or --open, or run in kitty, "
            "Ghostty, WezTerm, iTerm2, Konsole or a terminal with COLORTERM=truecolor"
        )
    size = (_MAX_COLUMNS * _PIXELS_PER_COLUMN, _MAX_ROWS * _CELL_ASPECT * _PIXELS_PER_COLUMN)
    images = thumbnails([hit.path for hit in hits], size)
    for rank, (hit, image) in enumerate(zip(hits, images, strict=True), start):
        heading = f"{rank}  {format_scores(hit)}  {display_path(hit.path, relative_to)}"
        if isinstance(image, str):
            yield f"{heading}\n({escape_control(image)})\n\n"
        else:
            yield f"{heading}\n{encode_image(image, protocol)}\n\n"


def encode_image(image: Image.Image, protocol: GraphicsProtocol) -> str:
    """The text that makes a terminal show `image`, within 40 columns and 14 rows."""
    columns, rows = _size_in_cells(image)
    if protocol == "blocks":
        return _encode_blocks(
            image.convert("RGB").resize((columns, rows * 2), Image.Resampling.BOX)
        )
    buffer = io.BytesIO()
    image.save(buffer, "png", compress_level=3)
    png = buffer.getvalue()
    return _encode_kitty(png, columns) if protocol == "kitty" else _encode_iterm(png, columns)


def _size_in_cells(image: Image.Image) -> tuple[int, int]:
    """The largest columns and rows that keep the aspect ratio of `image`."""
    scale = min(_MAX_COLUMNS / image.width, _MAX_ROWS * _CELL_ASPECT / image.height)
    return (
        max(1, round(image.width * scale)),
        max(1, round(image.height * scale / _CELL_ASPECT)),
    )


def _encode_kitty(png: bytes, columns: int) -> str:
    # a=T displays at once, f=100 is PNG, q=2 suppresses the terminal's response, which would end
    # up in the next input line. Only c is set: the terminal derives the height from its own cells.
    text = base64.b64encode(png).decode()
    chunks = [text[start : start + _KITTY_CHUNK] for start in range(0, len(text), _KITTY_CHUNK)]
    keys = [f"a=T,f=100,q=2,c={columns},", *[""] * (len(chunks) - 1)]
    return "".join(
        f"\x1b_G{key}m={int(number < len(chunks))};{chunk}\x1b\\"
        for number, (key, chunk) in enumerate(zip(keys, chunks, strict=True), 1)
    )


def _encode_iterm(png: bytes, columns: int) -> str:
    text = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns};preserveAspectRatio=1:{text}\a"


def _encode_blocks(pixels: Image.Image) -> str:
    """Two pixels per character: an upper half block in the upper color on the lower color."""
    data = pixels.tobytes()  # three bytes per pixel, row after row
    stride = pixels.width * 3
    lines = []
    for y in range(0, pixels.height, 2):
        line = ""
        for x in range(0, stride, 3):
            upper, lower = y * stride + x, (y + 1) * stride + x
            line += f"\x1b[38;2;{data[upper]};{data[upper + 1]};{data[upper + 2]}"
            line += f";48;2;{data[lower]};{data[lower + 1]};{data[lower + 2]}m▀"
        lines.append(line + "\x1b[0m")
    return "\n".join(lines)

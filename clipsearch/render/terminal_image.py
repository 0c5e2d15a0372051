"""Pictures inside a terminal: kitty's and iTerm2's protocols, or coloured half blocks.

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
from clipsearch.render.table import shown_path, shown_scores
from clipsearch.types import Hit

Protocol: TypeAlias = Literal["kitty", "iterm", "blocks"]

_KITTY_CHUNK = 4096  # bytes of base64, the most that kitty takes in one escape
_KONSOLE_WITH_KITTY = 220400  # Konsole 22.04
_CELL_ASPECT = 2  # a terminal's cell is about twice as high as wide
_PIXELS_A_COLUMN = 12  # enough for a cell of a display with two device pixels a point
_WIDEST, _HIGHEST = 40, 14  # columns and rows of one picture


def protocol(environ: Mapping[str, str], *, isatty: bool) -> Protocol | None:
    """How this terminal shows pictures, by its environment variables; None where it cannot.

    tmux and screen pass no picture protocol through, so there (and in every terminal that says
    it has 24-bit colour) pictures are drawn in half blocks.
    """
    if not isatty or environ.get("TERM") == "dumb":
        return None
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    inside = "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen"))
    if not inside:
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


def previews(
    hits: Sequence[Hit],
    how: Protocol | None,
    *,
    start: int = 1,
    relative_to: Path | None = None,
) -> Iterator[str]:
    """Each hit as a line with rank, scores and path, then its picture, ending in a newline.

    Raises UsageError at the first step where `how` is None.
    """
    if how is None:
        raise UsageError(
            "this terminal shows no pictures: use --sheet FILE.html or --open instead, or run in"
            " kitty, Ghostty, WezTerm, iTerm2, Konsole or a terminal with COLORTERM=truecolor"
        )
    size = (_WIDEST * _PIXELS_A_COLUMN, _HIGHEST * _CELL_ASPECT * _PIXELS_A_COLUMN)
    pictures = thumbnails([hit.path for hit in hits], size)
    for rank, (hit, picture) in enumerate(zip(hits, pictures, strict=True), start):
        shown = f"({escape_control(picture)})" if isinstance(picture, str) else inline(picture, how)
        heading = f"{rank}  {shown_scores(hit)}  {shown_path(hit.path, relative_to)}"
        yield f"{heading}\n{shown}\n\n"


def inline(image: Image.Image, how: Protocol) -> str:
    """The text that makes a terminal show `image`, within 40 columns and 14 rows."""
    columns, rows = _cells(image)
    if how == "blocks":
        return _blocks(image.convert("RGB").resize((columns, rows * 2), Image.Resampling.BOX))
    out = io.BytesIO()
    image.save(out, "png", compress_level=3)
    png = out.getvalue()
    return _kitty(png, columns) if how == "kitty" else _iterm(png, columns)


def _cells(image: Image.Image) -> tuple[int, int]:
    """Columns and rows that keep the picture's shape within the space for one."""
    scale = min(_WIDEST / image.width, _HIGHEST * _CELL_ASPECT / image.height)
    return (
        max(1, round(image.width * scale)),
        max(1, round(image.height * scale / _CELL_ASPECT)),
    )


def _kitty(png: bytes, columns: int) -> str:
    # a=T shows at once, f=100 is PNG, q=2 keeps the answer out of the user's next input line.
    # Only c is given, so the terminal finds the height from the shape of its own cells.
    text = base64.b64encode(png).decode()
    chunks = [text[at : at + _KITTY_CHUNK] for at in range(0, len(text), _KITTY_CHUNK)]
    keys = [f"a=T,f=100,q=2,c={columns},", *[""] * (len(chunks) - 1)]
    return "".join(
        f"\x1b_G{key}m={int(number < len(chunks))};{chunk}\x1b\\"
        for number, (key, chunk) in enumerate(zip(keys, chunks, strict=True), 1)
    )


def _iterm(png: bytes, columns: int) -> str:
    text = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns};preserveAspectRatio=1:{text}\a"


def _blocks(pixels: Image.Image) -> str:
    """Two pixels a character: the upper half block in the upper colour on the lower one."""
    data = pixels.tobytes()  # three bytes a pixel, row after row
    stride = pixels.width * 3
    lines = []
    for y in range(0, pixels.height, 2):
        line = ""
        for x in range(0, stride, 3):
            top, low = y * stride + x, (y + 1) * stride + x
            line += f"\x1b[38;2;{data[top]};{data[top + 1]};{data[top + 2]}"
            line += f";48;2;{data[low]};{data[low + 1]};{data[low + 2]}m▀"
        lines.append(line + "\x1b[0m")
    return "\n".join(lines)

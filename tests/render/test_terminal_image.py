"""Images in a terminal."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.render.terminal_image import (
    GraphicsProtocol,
    detect_protocol,
    encode_image,
    preview_hits,
)
from tests.helpers.hits import make_hit


@pytest.fixture
def noise() -> Image.Image:
    """An image whose PNG takes several of kitty's chunks."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"KONSOLE_VERSION": "230804", "COLORTERM": "truecolor"}, "kitty"),
        ({"KONSOLE_VERSION": "211203", "COLORTERM": "truecolor"}, "blocks"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM_PROGRAM": "WezTerm", "COLORTERM": "truecolor"}, "iterm"),
        ({"TERM": "foot", "COLORTERM": "truecolor"}, "blocks"),
        ({"WT_SESSION": "1"}, "blocks"),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app", "COLORTERM": "24bit"}, "blocks"),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
)
def test_terminals_are_detected_by_environment_variables(
    environ: dict[str, str], expected: GraphicsProtocol | None
) -> None:
    assert detect_protocol(environ, isatty=True) == expected
    assert detect_protocol(environ, isatty=False) is None


def test_kitty_chunks_join_to_the_png(noise: Image.Image) -> None:
    text = encode_image(noise, "kitty")
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text
    assert len(parts) > 2
    assert all(len(data) == 4096 for _, data in parts[:-1])
    assert 0 < len(parts[-1][1]) <= 4096
    assert parts[0][0] == "a=T,f=100,q=2,c=40,m=1"
    assert [keys for keys, _ in parts[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts)))) as png:
        assert png.format == "PNG"
        assert np.array_equal(np.asarray(png), np.asarray(noise))


def test_a_small_image_is_one_chunk() -> None:
    text = encode_image(Image.new("RGB", (4, 4)), "kitty")
    assert text.count("\x1b_G") == 1
    assert "m=0;" in text


def test_iterm_receives_the_png_with_its_size(noise: Image.Image) -> None:
    match = re.fullmatch(r"\x1b\]1337;File=([^:]*):([^\a]*)\a", encode_image(noise, "iterm"))
    assert match is not None
    keys = dict(key.split("=") for key in match[1].split(";"))
    data = base64.b64decode(match[2])
    assert keys == {
        "inline": "1",
        "size": str(len(data)),
        "width": "40",
        "preserveAspectRatio": "1",
    }
    with Image.open(io.BytesIO(data)) as png:
        assert np.array_equal(np.asarray(png), np.asarray(noise))


def test_half_blocks_show_two_rows_a_line() -> None:
    image = Image.new("RGB", (40, 20), (250, 0, 0))
    image.paste((0, 0, 250), (0, 19, 40, 20))
    lines = encode_image(image, "blocks").split("\n")
    assert [line.count("▀") for line in lines] == [40] * 10
    assert lines[0].startswith("\x1b[38;2;250;0;0;48;2;250;0;0m▀")
    assert lines[-1].startswith("\x1b[38;2;250;0;0;48;2;0;0;250m▀")
    assert all(line.endswith("\x1b[0m") for line in lines)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (640, 480), (480, 640)])
def test_every_aspect_ratio_fits(size: tuple[int, int]) -> None:
    lines = encode_image(Image.new("RGB", size), "blocks").split("\n")
    assert 1 <= len(lines) <= 14
    assert all(1 <= line.count("▀") <= 40 for line in lines)


def test_previews_show_each_hit_and_continue_after_a_missing_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (30, 30), (9, 9, 9)).save(file)
    hits = [make_hit(file, 0.3, 4.1), make_hit(tmp_path / "gone\x1b.png")]
    first, second = preview_hits(hits, "blocks", start=6, relative_to=tmp_path)
    assert first.startswith("6  0.300  z +4.1  a.png\n\x1b[38;2;9;9;9;")
    assert second.startswith("7  0.300  gone\\x1b.png\n(")


def test_the_error_for_other_terminals_names_the_alternative() -> None:
    with pytest.raises(UsageError, match="--sheet"):
        next(preview_hits([], None))

"""The image of a terminal in the README shows what the commands print."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "docs" / "terminal.svg"


def lines(svg: Path) -> list[str]:
    texts = ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()) for text in texts]


def test_the_stored_image_is_what_the_script_draws(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="pip install 'clipsearch[demo]'")
    script = STORED.with_name("terminal_svg.py")
    subprocess.run([sys.executable, script, tmp_path / "new.svg"], cwd=ROOT, check=True)
    drawn = lines(tmp_path / "new.svg")
    assert len(drawn) == len(lines(STORED))
    for new, stored in zip(drawn, lines(STORED), strict=True):
        if new.startswith(("$", "#", "1 ")):  # processors differ in the digits, and in later hits
            numbers = re.compile(r"[-+]?\d+\.\d+")
            assert numbers.sub("", new).split() == numbers.sub("", stored).split()

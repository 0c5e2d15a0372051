"""The page of promises names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_promise_has_a_test() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    rows = re.findall(r"^\| (?!promise|-).* \| (.*) \|$", text, re.MULTILINE)
    cells = [name for cell in rows if "tests" in cell for name in cell.split(", ")]
    named = [re.fullmatch(r"`(tests/[\w/.]+)`", cell) for cell in cells]
    assert len(named) >= 15
    for match in named:
        assert match is not None
        assert (ROOT / match[1]).exists(), match[1]

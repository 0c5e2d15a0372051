"""The documentation builds without a warning, and says what is true of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import clipsearch

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
pytest.importorskip("sphinx_click", reason="pip install 'clipsearch[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    arguments = ["-q", "-W", "--keep-going", "-n", "-b", "html", str(DOCS), str(folder)]
    build = subprocess.run(
        [sys.executable, "-m", "sphinx", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert {path for path in pages if not (site / path).is_file()} == set()


def test_the_command_line_page_has_every_command_and_option(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    for command in ("ingest", "query", "eval-retrieval", "textness-rank"):
        assert f'id="clipsearch-{command}"' in page
    assert "--max-textness" in page


def test_the_python_page_has_every_public_name(site: Path) -> None:
    source = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto\w+:: clipsearch\.(\w+)", source, re.MULTILINE)
    assert sorted(listed) == sorted(clipsearch.__all__)
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in listed if f'id="clipsearch.{name}"' not in page] == []


def test_the_tree_of_the_architecture_page_is_that_of_the_repository() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    [tree] = re.findall(r"<!-- layout -->\n```text\n(.*?)```", page, re.DOTALL)
    listed: set[str] = set()
    parents: list[str] = []
    for line in tree.splitlines():
        match = re.match(r"( *)(\w+)/", line)
        assert match, f"not a folder: {line!r}"
        parents = [*parents[: len(match[1]) // 2], match[2]]
        listed.add("/".join(parents))
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("clipsearch", "ingest", "training", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
    }
    assert listed == folders | {"docs", "docs/guides", "docs/reference", "examples", "tests"}

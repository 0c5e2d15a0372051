"""Configuration of the documentation site.

Build it with `python -m sphinx -W --keep-going -n -b html docs build/docs`. It needs no network.
"""

import re
import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # `ingest` and `clipsearch` as they are in this checkout
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "clipsearch"
author = "The clipsearch developers"
copyright = f"2026, {author}"  # noqa: A001 - the name that Sphinx reads
release = version = PYPROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = f"clipsearch {release}"
html_theme_options = {"source_repository": PYPROJECT["urls"]["Source"]}
html_show_sourcelink = False
copybutton_prompt_text = "$ "

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings are plain prose: single backticks mean code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
# Types of other projects have no page here, and neither have those inside the package.
nitpick_ignore_regex = [("py:.*", r".*")]


def format_help(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Turn the examples of a command's help into a block of code; write other lines as RST."""
    formatted: list[str] = []
    for line in lines:
        if not line.startswith("| "):
            line = re.sub(r"(?<!\*)\*(?!\*)", r"\\*", line)  # a wildcard, not emphasis
            formatted.append(re.sub(r"PosixPath\('(.*?)'\)", r"'\1'", line))
            continue
        if not formatted or not formatted[-1].startswith("   "):
            formatted += [".. code-block:: sh", ""]
        formatted.append(f"   {line[2:]}")
    lines[:] = formatted


def setup(app: Sphinx) -> None:
    """Register the hooks."""
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", format_help)

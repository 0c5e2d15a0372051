"""Draw `docs/terminal.svg`: real queries on the images of scikit-image, as a terminal shows them.

    python docs/terminal_svg.py

Needs the extra `[demo]`. The output is that of `clipsearch` with the model `pocket`.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path

from clipsearch.cli.demo import SAMPLE_IMAGES

QUERIES = (
    'clipsearch query "a cup of coffee" -n 3',
    'clipsearch query "stars at night" + moon.png -n 3',
)
CHARACTER, LINE, MARGIN, BAR = 8.4, 20, 18, 34
BACKGROUND, TEXT, PROMPT = "#1e1f29", "#e6e6e6", "#7ad6a0"
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def main(target: Path) -> None:
    """Run the queries and write the image of the terminal."""
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        sys.exit("scikit-image is not installed: pip install 'clipsearch[demo]'")
    data = Path(package.submodule_search_locations[0]) / "data"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for image in SAMPLE_IMAGES:
            shutil.copy(data / image, folder)
        run("clipsearch ingest .", folder)
        lines = []
        for query in QUERIES:
            lines += [f"$ {query}", *run(query, folder), ""]
    target.write_text(svg(lines[:-1]), encoding="utf-8")


def run(command: str, folder: Path) -> list[str]:
    """The lines that a command prints in `folder`, on a store of its own."""
    environment = os.environ | {
        "CLIPSEARCH_MODEL": "pocket",
        "CLIPSEARCH_URI": str(folder / "images.db"),
        "COLUMNS": "80",
    }
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def svg(lines: Sequence[str]) -> str:
    """The lines in a terminal window; commands have a colored prompt."""
    width = round(2 * MARGIN + CHARACTER * max(map(len, lines)))
    height = BAR + LINE * len(lines) + MARGIN
    rows = []
    for number, line in enumerate(lines):
        text = escape(line, quote=False)
        if line.startswith("$ "):
            text = f'<tspan fill="{PROMPT}">$</tspan>{text[1:]}'
        rows.append(f'<text x="{MARGIN}" y="{BAR + LINE * number + 14}">{text}</text>')
    dots = "".join(
        f'<circle cx="{MARGIN + 18 * index}" cy="16" r="5.5" fill="{color}"/>'
        for index, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n'
        f'<rect width="100%" height="100%" rx="9" fill="{BACKGROUND}"/>\n{dots}\n'
        f'<g font-family="{FONT}" font-size="14" fill="{TEXT}" xml:space="preserve">\n'
        + "\n".join(rows)
        + "\n</g>\n</svg>\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("terminal.svg"))

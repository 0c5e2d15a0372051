"""Commands and Python code in Markdown pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHELL = ("sh", "console")


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code of a page: `language` is "sh" for one command, else that of a whole block."""

    page: Path
    line: int
    language: str
    code: str


def snippets(page: Path) -> Iterator[Snippet]:
    """The code of a page that is to be run, in order.

    These are the fenced blocks of shell, Python and TOML, and the table rows whose second cell is a
    command. A comment `<!-- not run: REASON -->` before a block or in a row leaves it out.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    number, skip = 0, False
    while number < len(lines):
        line = lines[number]
        if line.startswith("|"):
            yield from _row(page, number, line)
        elif fence := re.match(r"( *)(`{3,})\{?([\w-]*)", line):
            start = number + 1
            while not re.fullmatch(rf" *{fence[2]}", lines[number := number + 1]):
                pass
            if not skip:
                yield from _block(page, start, fence[3], lines[start:number])
        if line.strip():
            skip = _is_skipped(line)
        number += 1


def _is_skipped(line: str) -> bool:
    if match := re.search(r"<!-- not run:(.*)-->", line):
        assert match[1].strip(), f"no reason given: {line}"
    return match is not None


def _row(page: Path, number: int, line: str) -> Iterator[Snippet]:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
    command = re.fullmatch(r"`((?:clipsearch|find) [^`]+)`", cells[2]) if len(cells) > 2 else None
    if command and not _is_skipped(line):
        yield Snippet(page, number + 1, "sh", command[1].replace(r"\|", "|"))


def _block(page: Path, start: int, language: str, lines: list[str]) -> Iterator[Snippet]:
    if language in ("python", "toml"):
        yield Snippet(page, start, language, "\n".join(lines) + "\n")
    elif language in SHELL:
        continued = ""
        for number, line in enumerate(lines, start + 1):
            if language == "console" and not continued and not line.startswith("$ "):
                continue  # output
            command = continued + line.removeprefix("$ ")
            continued = command.removesuffix("\\") if command.endswith("\\") else ""
            if command.strip() and not continued and not command.startswith("#"):
                yield Snippet(page, number, "sh", command)

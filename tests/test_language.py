"""The words of names, and the sizes of files and lines. CONTRIBUTING.md gives the reasons."""

import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

from clipsearch.cli.main import clipsearch

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 250
MAX_COLUMNS = 100

IMAGE_SYNONYMS = re.compile("picture|photo", re.IGNORECASE)

# Names that modules had before the terms of the field replaced them. The first group is wrong in
# every folder, the second only at these paths.
OLD_MODULES = re.compile(
    r"""
    .*/(?:test_)?(?:
        ahead | asked | asking | automatic | background | bars | canvases | conversion | converted
        | cores | drawing | ends | importing | kept | lengths | lessons | light | link | localfile
        | material | message | parts | pictures | probes | recipe | relevance | school | scribbles
        | selection | shift | shipped | space | textfile | things | typed | wanted | (?<!cli/)warm
        | windows | written
    )
    | clipsearch/(?:batches | embed | formats | hits | identity | pixels | terminal)
    | clipsearch/models/(?:names | specs)
    | clipsearch/store/(?:layout | lite | rows)
    | clipsearch/textness/words
    | training/(?:scale | start)
    """,
    re.VERBOSE,
)


FOLDERS = ("benchmarks", "clipsearch", "docs", "examples", "ingest", "tests", "training")


@cache
def python_files() -> tuple[str, ...]:
    """The paths of all our Python files, relative to the root."""
    files = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    return tuple(path.relative_to(ROOT).as_posix() for path in files)


def package_files() -> Iterator[str]:
    return (path for path in python_files() if path.startswith(("clipsearch/", "ingest/")))


def options_of(command: click.Command, path: str = "clipsearch") -> Iterator[str]:
    """Yield the words of a command's parameters, and those of its subcommands."""
    context = click.Context(command)
    for parameter in command.params:
        metavar = parameter.make_metavar(context) or ""
        yield from (f"{path} {word}" for word in (*parameter.opts, metavar))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield f"{path} {name}"
            yield from options_of(subcommand, f"{path} {name}")


def test_identifiers_say_image() -> None:
    offenders = []
    for path in package_files():
        with tokenize.open(ROOT / path) as file:
            names = {
                token.string
                for token in tokenize.generate_tokens(file.readline)
                if token.type == tokenize.NAME and IMAGE_SYNONYMS.search(token.string)
            }
        offenders += [f"{path}: {name}" for name in sorted(names)]
    assert not offenders, "\n".join(offenders)


def test_module_names_say_image() -> None:
    assert not [path for path in package_files() if IMAGE_SYNONYMS.search(path)]


def test_options_of_commands_say_image() -> None:
    assert not [words for words in options_of(clipsearch) if IMAGE_SYNONYMS.search(words)]


def test_modules_have_names_of_the_field() -> None:
    offenders = [
        path
        for path in python_files()
        if OLD_MODULES.fullmatch(re.sub(r"(/__init__)?\.py$", "", path))
    ]
    assert not offenders, "\n".join(offenders)


def test_files_are_short() -> None:
    sizes = {
        path: (ROOT / path).read_text(encoding="utf-8").count("\n")
        for path in python_files()
        if not path.startswith("tests/")
    }
    offenders = [f"{path}: {size} lines" for path, size in sizes.items() if size > MAX_LINES]
    assert not offenders, "\n".join(offenders)


def test_lines_are_short() -> None:
    offenders = [
        f"{path}:{number}: {len(line)} columns"
        for path in python_files()
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1)
        if len(line) > MAX_COLUMNS
    ]
    assert not offenders, "\n".join(offenders)

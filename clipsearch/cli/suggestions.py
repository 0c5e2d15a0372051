"""What a user may have meant by an unknown command or option, for the error message."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from clipsearch.files.paths import expand_user, is_folder

COMMAND_SYNONYMS = {
    "query": "search find look ask q s",
    "ingest": "add scan load update sync embed build create init insert",
    "status": "list ls info show stats collections count config cache folders uninstall where",
    "doctor": "health diagnose debug",
    "check": "verify repair fix fsck",
    "watch": "monitor follow auto daemonize",
    "remove": "delete rm del forget purge unindex prune",
    "drop": "clear reset destroy wipe",
    "duplicates": "dedupe dedup dupes duplicate duplicated",
    "serve": "server web http gui browse open",
    "warm": "daemon start stop",
    "similar": "like neighbors neighbours nearest more",
    "tag": "label tags annotate",
    "classify": "class predict zero-shot zeroshot",
    "models": "model",
    "eval": "evaluate benchmark test measure",
    "distill": "train finetune fine-tune",
    "demo": "example try tutorial",
    "explain": "why heatmap heat-map",
    "copy": "migrate transfer clone move backup mirror",
    "export": "dump save parquet",
    "import": "restore",
    "completion": "completions autocomplete shell",
}

SUBCOMMAND_SYNONYMS = {
    "fit": "train learn build create",
    "apply": "predict classify run use",
    "show": "status info list",
    "reset": "remove delete clear undo",
}
"""As COMMAND_SYNONYMS, for the commands of groups that have one of these names."""

OPTION_SYNONYMS = {
    "--limit": "--top --count --max --num --number --max-results --top-k --results --k",
    "--min-score": "--threshold --score --cutoff",
    "--under": "--dir --folder --path --in",
    "--type": "--format --ext --extension",
    "--after": "--since --from",
    "--before": "--until --to",
    "--uri": "--db --store --database --url",
    "--collection": "--name --index",
    "--output": "--out --file",
    "--quiet": "--silent",
    "--tag": "--label --tags",
    "--label": "--tag --class --labels",
    "--image": "--img --file --picture --photo",
    "--paths": "--files --names",
    "--no-self": "--exclude-self",
    "--glob": "--pattern",
    "--null": "--print0 -0",
}

COLLECTION_KNOWS_MODEL = (
    "the collection knows its model; `clipsearch ingest --model` chooses that of a new collection, "
    "`clipsearch reindex --model` replaces it"
)


def explain_usage_error(error: click.UsageError, arguments: Sequence[str]) -> str:
    """Return the message of an error on one line, with what the user may have meant."""
    context = error.ctx
    message = re.sub(r",?\s*\n\s*", ", ", error.format_message()).replace(":, ", ": ")
    hints = list(_hints(error, context, arguments)) if context else []
    if isinstance(error, click.NoSuchOption):
        message = error.message  # click's own suggestions hardly resemble the option
    if not hints:
        command = context.command_path if context else "clipsearch"
        return f"{message.rstrip('.')} (see {command} --help)"
    if not isinstance(error, click.BadParameter):
        message = error.message.splitlines()[0]  # without the suggestions of click
    return f"{message.rstrip('.')}: {'; '.join(hints)}"


def explain_error(message: str, arguments: Sequence[str]) -> str:
    """Add to the message of a failed query that `-cat` was read as the option `-c at`."""
    words = [word for word in arguments if re.fullmatch(r"-[ci][^\W\d_]{2,}", word)]
    if not words or arguments[0] != "query":
        return message
    return f"{message} ({words[0]} is an option here; to subtract a text, write - {words[0][1:]})"


def _hints(
    error: click.UsageError, context: click.Context, arguments: Sequence[str]
) -> Iterator[str]:
    if isinstance(context.command, click.Group) and "No such command" in error.message:
        yield from _command_hints(error, context, context.command, arguments)
    elif isinstance(error, click.NoSuchOption):
        yield from _option_hints(error, context)
    if context.info_name == "index" and "unexpected extra argument" in error.message:
        yield "to add images to a collection, write clipsearch ingest PATH"
    if context.info_name == "query" and _is_text_like_option(error, arguments):
        yield 'write -- before a text that begins with a hyphen: clipsearch query -- "-5 degrees"'


def _command_hints(
    error: click.UsageError, context: click.Context, group: click.Group, arguments: Sequence[str]
) -> Iterator[str]:
    quoted = re.search(r"No such command (['\"])(.*)\1", error.message, re.DOTALL)
    name = quoted[2] if quoted else ""
    names = group.list_commands(context)
    is_top = context.parent is None
    known = _by_synonym(COMMAND_SYNONYMS if is_top else SUBCOMMAND_SYNONYMS, names)
    lowered = name.lower().lstrip("-")
    if lowered in ("help", "version"):
        yield f"did you mean `clipsearch --{lowered}`?"
    elif lowered in known:
        yield f"did you mean {_spelled(context, known[lowered])}?"
    elif near := _near_commands(lowered, names, known):
        yield f"did you mean {' or '.join(_spelled(context, match) for match in near)}?"
    elif not is_top:
        yield f"the commands are {', '.join(names)}"
    elif is_folder(expand_user(Path(name))):
        yield f"to add its images, write clipsearch ingest {_quoted(name)}"
    else:
        words = arguments[arguments.index(name) :] if name in arguments else [name]
        word = " ".join(map(_quoted, words))
        yield f"to search for it, write clipsearch query {word}; clipsearch --help lists commands"


def _near_commands(word: str, names: Sequence[str], synonyms: dict[str, str]) -> list[str]:
    """At most two commands whose name resembles a word; one if a synonym resembles it more."""
    near = get_close_matches(word, names, 2, 0.65)  # `red` is not `reindex`
    # `serch` resembles `serve`, but means `search`.
    [best] = get_close_matches(word, [*near[:1], *synonyms], 1, 0.8) or [""]
    return [synonyms[best]] if best in synonyms else near


def _option_hints(error: click.NoSuchOption, context: click.Context) -> Iterator[str]:
    name = error.option_name
    names = [
        option
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    ]
    if name == "--model":
        yield COLLECTION_KNOWS_MODEL
        return
    long_names = [option for option in names if option.startswith("--")]
    meant = [
        option
        for option, words in OPTION_SYNONYMS.items()
        if name in words.split() and option in names
    ]
    if not meant and not get_close_matches(name, long_names, 1, 0.8):  # a mistyped synonym
        known = _by_synonym(OPTION_SYNONYMS, names)
        meant = [known[match] for match in get_close_matches(name, known, 1, 0.8)]
    if near := meant or get_close_matches(name, long_names, 2, 0.65):
        yield f"did you mean {' or '.join(near)}?"


def _by_synonym(synonyms: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """The name that each synonym stands for, of those that exist."""
    return {
        word: name for name, words in synonyms.items() if name in names for word in words.split()
    }


def _is_text_like_option(error: click.UsageError, arguments: Sequence[str]) -> bool:
    """Whether a text such as "-5 degrees" was taken for options."""
    if isinstance(error, click.NoSuchOption):
        return not error.option_name.startswith("--") or " " in error.option_name
    if not isinstance(error, click.BadParameter):
        return False
    return any(re.match(r"-[^\W\d]\S*\s", argument) for argument in arguments)


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _spelled(context: click.Context, name: str) -> str:
    return f"`{context.command_path} {name}`"

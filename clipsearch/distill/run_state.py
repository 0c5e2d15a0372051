"""The folder of a student: what it was begun with, and whether it is finished."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsearch.cache import atomic_write
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user

NOTE = "distillation.json"
FINISHED = "finished"


def checkpoint_name(tower: str) -> str:
    """The name of a tower's checkpoint in it."""
    return f"checkpoint-{tower}.pt"


def opened(out: Path) -> Path:
    """The folder for a student, there or not yet; raises UsageError where something else is."""
    folder = expand_user(out).absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder: -o names one for the student")
    if not folder.exists():
        return folder
    if any(folder.iterdir()) and not (folder / NOTE).is_file():
        raise UsageError(f"{folder} holds something else: name a new folder for the student")
    if note(folder).get(FINISHED):
        raise UsageError(f"{folder} holds a finished student: name another folder, or delete it")
    return folder


def note(folder: Path) -> dict[str, Any]:
    """What is noted in it, {} where nothing is."""
    try:
        found: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return dict(found)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{folder / NOTE} cannot be read: name another folder, or delete this one"
        ) from error


def begin(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder and note what the student depends on.

    Raises UsageError where that was begun with something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror or error}") from error
    before = note(folder).get("settings")
    if before is None or not any(folder.glob(checkpoint_name("*"))):  # nothing learnt yet
        write(folder, {"settings": dict(settings), FINISHED: False})
        return
    for name, value in settings.items():
        if before.get(name) != value:
            detail = f"{name} {before.get(name)}, not {value}"
            if name in ("pictures", "captions"):
                detail = f"other {name} than there are now"
            raise UsageError(
                f"{folder} was begun with {detail}: go on with that, or name another folder"
            )


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Replace what is noted."""
    text = json.dumps(content, indent=2)
    with atomic_write(folder / NOTE) as temporary:
        temporary.write_text(text, encoding="utf-8")

"""The state of a run in its output folder: its settings, and whether it is finished."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipsearch.cache import TEMPORARY, atomic_write
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user

STATE_FILE = "distillation.json"
_CHECKPOINTS = "checkpoint-*.pt"


def checkpoint_path(folder: Path, tower: str) -> Path:
    """The file for the checkpoint of a tower in an output folder."""
    return folder / _CHECKPOINTS.replace("*", tower)


def check_output_folder(output: Path) -> Path:
    """Resolve the output folder, which need not exist.

    Raises UsageError if the path is a file, or the folder holds other things or a finished student.
    """
    folder = expand_user(output).absolute()
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: name one for the student (-o)")
    others = (path for path in folder.iterdir() if not path.name.startswith(TEMPORARY))
    if any(others) and not (folder / STATE_FILE).is_file():
        raise UsageError(f"{folder} holds something else: name a new folder for the student")
    if _read_state(folder).get("finished"):
        raise UsageError(f"{folder} holds a finished student: name another folder, or delete it")
    return folder


def start_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Create the output folder and record the settings that the student depends on.

    Raises UsageError if the folder has checkpoints of a run with other settings.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be created: {error.strerror or error}") from error
    previous = _read_state(folder).get("settings")
    if previous is None or not any(folder.glob(_CHECKPOINTS)):  # nothing is trained yet
        _write_state(folder, {"settings": dict(settings), "finished": False})
        return
    for name, value in settings.items():
        if previous.get(name) != value:
            difference = f"{name} {previous.get(name)}, not {value}"
            if name in ("images", "captions"):
                difference = f"other {name} than there are now"
            raise UsageError(
                f"{folder} was started with {difference}: use the same settings, or name another "
                "folder"
            )


def finish_run(folder: Path, settings: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Record that the student is finished, with the report of the run."""
    _write_state(folder, {"settings": dict(settings), "finished": True, **report})


def _read_state(folder: Path) -> dict[str, Any]:
    """The recorded state; {} if there is none."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        return dict(state)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{folder / STATE_FILE} cannot be read: name another folder, or delete this one"
        ) from error


def _write_state(folder: Path, state: Mapping[str, Any]) -> None:
    text = json.dumps(state, indent=2)
    with atomic_write(folder / STATE_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")

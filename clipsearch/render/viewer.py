"""Pictures opened in the desktop's own viewer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control

_INSTEAD = "use --sheet FILE.html, or --paths, to see the results otherwise"


def open_files(paths: Sequence[Path]) -> None:
    """Open each file with the program that the desktop has for it, and do not wait.

    Raises UsageError where a file is gone, or nothing is here to open it with.
    """
    files = [path.absolute() for path in paths]  # so that no name can be read as an option
    for file in files:
        if not file.exists():
            raise UsageError(
                f"cannot open {escape_control(str(file))}: no such file; ingest its folder again"
            )
    if sys.platform == "win32":
        for file in files:
            try:
                os.startfile(file)
            except OSError as error:
                raise UsageError(
                    f"cannot open {escape_control(str(file))}: {error.strerror}"
                ) from error
    else:
        for command in commands(files, sys.platform, os.environ):
            _start(command)


def commands(
    files: Sequence[Path], platform: str, environ: Mapping[str, str]
) -> list[list[str | Path]]:
    """The commands that open `files` on macOS, or on a Linux or BSD desktop.

    Raises UsageError where the session has no screen or no opener is installed.
    """
    if platform == "darwin":
        return [["open", *files]] if files else []
    in_windows = "WSL_DISTRO_NAME" in environ
    if not (in_windows or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise UsageError(f"cannot open pictures: this session has no desktop; {_INSTEAD}")
    openers = [["xdg-open"], ["gio", "open"]]
    if in_windows:
        openers.insert(0, ["wslview"])
    for opener in openers:
        if shutil.which(opener[0], path=environ.get("PATH")):
            return [[*opener, file] for file in files]
    names = " nor ".join(" ".join(opener) for opener in openers)
    raise UsageError(
        f"cannot open pictures: neither {names} is here; install xdg-utils, or {_INSTEAD}"
    )


def _start(command: Sequence[str | Path]) -> None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C here must not close the viewer
        )
    except OSError as error:
        raise UsageError(f"cannot start {command[0]}: {error.strerror}; {_INSTEAD}") from error
    Thread(target=process.wait, daemon=True).start()  # collects the exit status, for nobody

"""Open image files in the desktop's image viewer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control

_ALTERNATIVES = "use --sheet FILE.html or --paths instead"


def open_files(paths: Sequence[Path]) -> None:
    """Open each file with the desktop's default program, without waiting for it to close.

    Raises UsageError if a file is missing or there is no program to open it.
    """
    files = [path.absolute() for path in paths]  # so that no file name is taken for an option
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
        for command in viewer_commands(files, sys.platform, os.environ):
            _start(command)


def viewer_commands(
    files: Sequence[Path], platform: str, environ: Mapping[str, str]
) -> list[list[str | Path]]:
    """The commands that open `files` on macOS, or on a Linux or BSD desktop.

    Raises UsageError if the session has no desktop or no opener is installed.
    """
    if platform == "darwin":
        return [["open", *files]] if files else []
    is_wsl = "WSL_DISTRO_NAME" in environ
    if not (is_wsl or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise UsageError(f"cannot open images: this session has no desktop; {_ALTERNATIVES}")
    openers = [["xdg-open"], ["gio", "open"]]
    if is_wsl:
        openers.insert(0, ["wslview"])
    for opener in openers:
        if shutil.which(opener[0], path=environ.get("PATH")):
            return [[*opener, file] for file in files]
    names = " or ".join(" ".join(opener) for opener in openers)
    raise UsageError(
        f"cannot open images: {names} not found; install xdg-utils, or {_ALTERNATIVES}"
    )


def _start(command: Sequence[str | Path]) -> None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in this terminal must not close the viewer
        )
    except OSError as error:
        raise UsageError(f"cannot start {command[0]}: {error.strerror}; {_ALTERNATIVES}") from error
    Thread(target=process.wait, daemon=True).start()  # reaps the process

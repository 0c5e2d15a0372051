"""Commands run in this process, which saves the imports of a new one."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from clipsearch.cli.main import main


@dataclass(frozen=True, slots=True)
class Done:
    """The exit code of a command, and its output."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


def command(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Done:
    """Run `clipsearch` with these arguments, and with `environment` added to the environment."""
    with (
        pytest.MonkeyPatch.context() as patch,
        CliRunner().isolation(stdin) as (stdout, stderr, _),
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        code = exit_info.value.code
        assert isinstance(code, int)
        return Done(code, os.fsdecode(stdout.getvalue()), os.fsdecode(stderr.getvalue()))


def one_line(text: str) -> str:
    """Return the text, which must be one line and not a traceback."""
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text.strip()

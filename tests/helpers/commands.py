"""Commands run in this process, which saves importing everything each time."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from clipsearch.cli.main import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


def command(*arguments: str | Path, stdin: bytes = b"", **environ: str) -> Done:
    """Run `clipsearch` with these arguments, and with `environ` added to the environment."""
    with (
        pytest.MonkeyPatch.context() as patch,
        CliRunner().isolation(stdin) as (stdout, stderr, _),
    ):
        for name, value in environ.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        code = end.value.code
        assert isinstance(code, int)
        return Done(code, os.fsdecode(stdout.getvalue()), os.fsdecode(stderr.getvalue()))

"""`clipsearch completion`, and the completions that its scripts ask for."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.helpers.commands import command, one_line


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o nosort -F _clipsearch_completion clipsearch"),
        ("zsh", "#compdef clipsearch"),
        ("fish", "complete --no-files --command clipsearch"),
    ],
)
def test_it_prints_the_script_of_a_shell(shell: str, line: str) -> None:
    done = command("completion", shell)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert f"_CLIPSEARCH_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)


def complete(line: str) -> list[str]:
    """Return what the bash script gets for a command line whose last word is incomplete."""
    words = line.split(" ")
    environment = {
        "_CLIPSEARCH_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from clipsearch.cli import main; main()"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [answer.partition(",")[2] for answer in done.stdout.splitlines()]


def test_commands_options_and_choices_are_completed() -> None:
    assert complete("clipsearch te") == ["textness"]
    assert complete("clipsearch models --j") == ["--json"]
    assert complete("clipsearch completion ") == ["bash", "zsh", "fish"]


def test_a_missing_shell_is_an_error_of_one_line() -> None:
    done = command("completion")
    assert done.returncode == 2
    assert "Choose from: bash, zsh, fish (see" in one_line(done.stderr)

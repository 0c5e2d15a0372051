"""Run every check, the quick ones first: `python -m tests [PYTEST ARGUMENTS]`.

Stops at the first that fails, with its exit status. Tests run in several processes; those that fail
there, on a busy machine for lack of time, run once more alone and must pass then.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHECKS = (
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    ["mypy"],
    ["sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html", "docs", "build/docs"],
    # Many tests wait for another process. Modules stay together, and with them what they share.
    # Last, so that its summary is the last line.
    ["pytest", "-n", "logical", "--maxprocesses", "4", "--dist", "loadgroup", *sys.argv[1:]],
)
FAILED_AGAIN = ["pytest", "--last-failed", "--last-failed-no-failures", "none"]


def main() -> int:
    """The exit status of the first check that fails, or 0."""
    for check in CHECKS:
        status = run(check)
        if check[0] == "pytest" and status == 1:  # some tests failed
            status = run(FAILED_AGAIN)
        if status:
            return status
    return 0


def run(check: list[str]) -> int:
    """The exit status of one check."""
    print("+", *check, flush=True)
    return subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

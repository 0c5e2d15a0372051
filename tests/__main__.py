"""Run every check, the quick ones first: `python -m tests [PYTEST ARGUMENTS]`.

Stops at the first that fails, with its exit status.
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


def main() -> int:
    """The exit status of the first check that fails, or 0."""
    for check in CHECKS:
        print("+", *check, flush=True)
        status = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: one file per command, which parses, calls the library, and prints."""

import sys

try:
    from clipsearch.cli.main import main
except KeyboardInterrupt:  # before `main` could handle it
    sys.stderr.write("clipsearch: interrupted\n")
    raise SystemExit(130) from None

__all__ = ["main"]

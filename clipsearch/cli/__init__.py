"""The command line: each command parses, calls one library function, and renders."""

from clipsearch.cli.main import main

__all__ = ["main"]

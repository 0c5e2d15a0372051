"""The Python API of a collection that `clipsearch serve` serves, over HTTP."""

from clipsearch.client.client import Client

__all__ = ["Client"]

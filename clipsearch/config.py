"""Where things live when the user does not say."""

import os
from pathlib import Path

import platformdirs

COLLECTION = "images"


def default_uri() -> str:
    """`CLIPSEARCH_URI`, else one database file in the user's data folder."""
    configured = os.environ.get("CLIPSEARCH_URI")
    return configured or str(Path(platformdirs.user_data_path("clipsearch")) / "clipsearch.db")


def default_collection() -> str:
    """`CLIPSEARCH_COLLECTION`, else "images"."""
    return os.environ.get("CLIPSEARCH_COLLECTION") or COLLECTION


def default_runtime() -> str:
    """`CLIPSEARCH_RUNTIME`, else "auto"."""
    return os.environ.get("CLIPSEARCH_RUNTIME") or "auto"


def default_precision() -> str:
    """`CLIPSEARCH_PRECISION`, else "auto"."""
    return os.environ.get("CLIPSEARCH_PRECISION") or "auto"


def cache_folder() -> Path:
    """`CLIPSEARCH_CACHE`, else the user's cache folder: files that can be made again."""
    configured = os.environ.get("CLIPSEARCH_CACHE")
    return (
        Path(configured).expanduser() if configured else platformdirs.user_cache_path("clipsearch")
    )

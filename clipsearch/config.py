"""Default settings, from environment variables."""

import os
from pathlib import Path

import platformdirs

COLLECTION = "images"


def default_uri() -> str:
    """Return `CLIPSEARCH_URI`, else a database file in the user's data folder."""
    configured = os.environ.get("CLIPSEARCH_URI")
    return configured or str(Path(platformdirs.user_data_path("clipsearch")) / "clipsearch.db")


def default_collection() -> str:
    """Return `CLIPSEARCH_COLLECTION`, else "images"."""
    return os.environ.get("CLIPSEARCH_COLLECTION") or COLLECTION


def default_runtime() -> str:
    """Return `CLIPSEARCH_RUNTIME`, else "auto"."""
    return os.environ.get("CLIPSEARCH_RUNTIME") or "auto"


def default_precision() -> str:
    """Return `CLIPSEARCH_PRECISION`, else "auto"."""
    return os.environ.get("CLIPSEARCH_PRECISION") or "auto"


def cache_folder() -> Path:
    """Return `CLIPSEARCH_CACHE`, else the user's cache folder, for files that can be recreated."""
    configured = os.environ.get("CLIPSEARCH_CACHE")
    return (
        Path(configured).expanduser() if configured else platformdirs.user_cache_path("clipsearch")
    )

"""Settings from environment variables and the user's config.toml, and default folders.

config.toml lies in the user's configuration folder (`config_path`). The library reads the settings
`SETTINGS` from it, which also have environment variables; the command line also reads the defaults
of its options from it (`clipsearch.cli.config_defaults`).
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from clipsearch.consistency import DEFAULT, Consistency, parse_consistency
from clipsearch.errors import UsageError
from clipsearch.text_encoding import decode_text

COLLECTION = "images"
TLS_SETTINGS = ("ca_certificate", "client_certificate", "client_key", "server_name")
"""Settings of a Milvus server with https: files in PEM format, and the name in its certificate."""

SETTINGS = (
    *("uri", "database", "collection", "model", "runtime", "precision", "consistency"),
    *TLS_SETTINGS,
)
"""Keys at the top level of config.toml that the library reads as well as the command line."""


class Setting(NamedTuple):
    """The value of a setting, and the environment variable or the file that sets it."""

    value: str
    source: str


def find_setting(name: str) -> Setting | None:
    """Return `CLIPSEARCH_NAME`, else the key of config.toml, else None.

    An empty value counts as none. Raises UsageError if config.toml cannot be read or the value is
    not a string.
    """
    variable = f"CLIPSEARCH_{name.upper()}"
    if value := os.environ.get(variable, "").strip():
        return Setting(value, variable)
    value = read_config().get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{config_path()}: {name} must be a string, not {value!r}")
    return Setting(value.strip(), str(config_path())) if value.strip() else None


def default_uri() -> str:
    """Return the setting `uri`, else a database file in the user's data folder."""
    if setting := find_setting("uri"):
        return setting.value
    return str(Path(platformdirs.user_data_path("clipsearch")) / "clipsearch.db")


def default_collection() -> str:
    """Return the setting `collection`, else "images"."""
    setting = find_setting("collection")
    return setting.value if setting else COLLECTION


def default_runtime() -> str:
    """Return the setting `runtime`, else "auto"."""
    setting = find_setting("runtime")
    return setting.value if setting else "auto"


def default_precision() -> str:
    """Return the setting `precision`, else "auto"."""
    setting = find_setting("precision")
    return setting.value if setting else "auto"


def choose_consistency(given: str | None = None) -> Consistency:
    """Return the given level, else the setting `consistency`, else "session".

    Raises UsageError on an unknown level.
    """
    if given is None and (setting := find_setting("consistency")):
        given = setting.value
    return DEFAULT if given is None else parse_consistency(given)


def cache_folder() -> Path:
    """Return `CLIPSEARCH_CACHE`, else the user's cache folder, for files that can be recreated."""
    configured = os.environ.get("CLIPSEARCH_CACHE")
    return (
        Path(configured).expanduser() if configured else platformdirs.user_cache_path("clipsearch")
    )


def config_path() -> Path:
    """Return `CLIPSEARCH_CONFIG`, else config.toml in the user's configuration folder."""
    configured = os.environ.get("CLIPSEARCH_CONFIG")
    if configured:
        return Path(configured).expanduser()
    return Path(platformdirs.user_config_path("clipsearch")) / "config.toml"


def read_config() -> dict[str, Any]:
    """Read the user's config.toml; return {} if there is none.

    Raises UsageError if the file cannot be read, is not TOML, or is the missing file that
    `CLIPSEARCH_CONFIG` names.
    """
    path = config_path()
    try:
        text = decode_text(path.read_bytes())
    except FileNotFoundError as error:
        if os.environ.get("CLIPSEARCH_CONFIG"):
            raise UsageError(f"CLIPSEARCH_CONFIG: no such file: {path}") from error
        return {}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text") from error
    import tomllib  # most users have no config.toml

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def child_environment() -> dict[str, str]:
    """Return the environment for a child process, which needs none of our tokens."""
    tokens = re.compile(r"CLIPSEARCH_(\w+_)?TOKEN")
    return {name: value for name, value in os.environ.items() if not tokens.fullmatch(name)}


def parse_size(text: str) -> int:
    """Return a number of bytes such as `500kB`, `2MB`, `1.5G` or `1500`; raises ValueError."""
    match = re.fullmatch(r"(\d{1,290}(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not a size")
    factor = 1000.0 ** " kmgt".index(match[2] or " ")
    return round(float(match[1]) * factor)

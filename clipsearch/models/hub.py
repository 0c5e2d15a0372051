"""The model hub as seen from this machine: what it already has, and whether the hub answers."""

import os
from collections.abc import Sequence
from pathlib import Path

from clipsearch.errors import ModelError

# The files that a repository may keep its weights in; the libraries take the first.
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

ANSWER_SECONDS = 2.5
"""How long the choice of a default waits: a person waits for it before anything else happens."""
NAMED_SECONDS = 10.0
"""How long to wait for a model that was asked for by name: without it there is only an error."""


def offline() -> bool:
    """Whether the user forbids to ask the hub (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE)."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def endpoint() -> str:
    """The address of the hub: HF_ENDPOINT, or the one that the hub's library knows."""
    from huggingface_hub.constants import ENDPOINT

    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def cache_folder() -> Path:
    """Where the hub's files lie: HF_HUB_CACHE, HF_HOME or XDG_CACHE_HOME, read when asked.

    The hub's own library reads them once, when it is imported; every call that downloads or looks
    up is therefore given this folder.
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.path.expandvars(os.environ[variable])).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(cache, "huggingface"))
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def cached(repo: str, names: Sequence[str]) -> Path | None:
    """The first of these files of a repository that is on this machine, or None."""
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        path = try_to_load_from_cache(repo, name, cache_dir=cache_folder())
        if isinstance(path, str) and Path(path).is_file():
            return Path(path)
    return None


def revision(repo: str) -> Path:
    """The file in the hub's cache that says which commit of a repository is the current one."""
    return cache_folder() / f"models--{repo.replace('/', '--')}" / "refs" / "main"


def answers(repo: str, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether the hub offers this repository to this user; False after `seconds`.

    Asked with one HEAD request, which the hub may redirect.
    """
    from huggingface_hub import get_token

    from clipsearch.models.hub_http import offers  # HTTP loads for who asks, no query does

    return offers(endpoint(), repo, token=get_token(), seconds=seconds)


def require(model: str, repo: str, names: Sequence[str]) -> None:
    """Raise ModelError at once where none of the files is here and the hub cannot give them.

    The hub's library would try for half a minute and then tell of a connection.
    """
    if cached(repo, names):
        return
    if offline():
        reason = "HF_HUB_OFFLINE forbids to ask the hub"
    elif not answers(repo, seconds=NAMED_SECONDS):
        reason = f"{endpoint()} does not offer it or does not answer"
    else:
        return
    raise ModelError(
        f"the weights of model {model} ({repo}) are not in {cache_folder()}, and {reason}: go "
        "online once, point HF_HOME to a folder that has them, or use the built-in one with "
        "--model pocket"
    )

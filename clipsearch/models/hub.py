"""The model hub: what its local cache holds, and whether the hub offers a repository."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from clipsearch.errors import ModelError

# Otherwise huggingface_hub asks huggingface.co for a list of programs that may have started this
# one, also when HF_ENDPOINT names another hub, to send that name. It reads this when imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# The files that a repository may keep its weights in; the libraries use the first that exists.
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

DEFAULT_SECONDS = 2.5
"""Timeout for the choice of a default model, which delays the start of a command."""
NAMED_SECONDS = 10.0
"""Timeout for a model that the user named: without an answer there is only an error."""


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids requests to the hub."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def endpoint() -> str:
    """The address of the hub: HF_ENDPOINT, or the default of huggingface_hub."""
    from huggingface_hub.constants import ENDPOINT

    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def cache_folder() -> Path:
    """The hub's cache: HF_HUB_CACHE, else a folder in HF_HOME or XDG_CACHE_HOME.

    `huggingface_hub.constants` has the same value, but importing it would slow down each query, and
    it reads the environment only once. Every download and look-up passes this folder.
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.path.expandvars(os.environ[variable])).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(cache, "huggingface"))
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def cached_file(repo: str, names: Sequence[str]) -> Path | None:
    """The first of these files of a repository in the cache, or None."""
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        path = try_to_load_from_cache(repo, name, cache_dir=cache_folder())
        if isinstance(path, str) and Path(path).is_file():
            return Path(path)
    return None


def revision_file(repo: str) -> Path:
    """The file in the cache that names the current commit of a repository."""
    return cache_folder() / f"models--{repo.replace('/', '--')}" / "refs" / "main"


def offers(repo: str, *, seconds: float = DEFAULT_SECONDS) -> bool:
    """Whether the hub offers a repository to this user; False after `seconds`.

    Sends one HEAD request, which the hub may redirect. Only a hub's answer names a commit: the
    login page of a hotel's network does not.
    """
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    url = hf_hub_url(repo, "README.md", endpoint=endpoint())
    is_offered = threading.Event()
    is_done = threading.Event()

    def request() -> None:
        try:
            if get_hf_file_metadata(url, token=get_token(), timeout=seconds).commit_hash:
                is_offered.set()
        except EntryNotFoundError:  # the repository exists, but has no such file
            is_offered.set()
        except Exception:  # noqa: BLE001 - of the HTTP library, which depends on the hub's version
            pass
        finally:
            is_done.set()

    # The timeout covers neither the name resolution nor a slow trickle of bytes: this thread may
    # be left behind.
    threading.Thread(target=request, daemon=True, name="hub-request").start()
    is_done.wait(seconds)
    return is_offered.is_set()


def require(model: str, repo: str, names: Sequence[str]) -> None:
    """Raise ModelError if no file is cached and the hub does not offer the repository.

    huggingface_hub would retry for half a minute, and its error would not name the model.
    """
    if cached_file(repo, names):
        return
    if is_offline():
        reason = "HF_HUB_OFFLINE forbids requests to the hub"
    elif not offers(repo, seconds=NAMED_SECONDS):
        reason = f"{endpoint()} does not offer it or does not answer"
    else:
        return
    raise ModelError(
        f"the weights of model {model} ({repo}) are not in {cache_folder()}, and {reason}: go "
        "online once, set HF_HOME to a folder that has them, or use the built-in model with "
        "--model pocket"
    )


def download(repo: str, *, allow: Sequence[str], ignore: Sequence[str] = ()) -> Path:
    """Download the files of a repository that match a pattern; return the folder of its snapshot.

    Files that the cache has are not downloaded again. Raises the errors of huggingface_hub.
    """
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repo,
            allow_patterns=list(allow),
            ignore_patterns=list(ignore),
            cache_dir=cache_folder(),
            endpoint=endpoint(),
            etag_timeout=NAMED_SECONDS,
            local_files_only=is_offline(),
        )
    )

"""The model hub as seen from this machine: what it already has, and whether the hub answers."""

import os
import threading
from collections.abc import Sequence
from email.message import Message
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

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


def answers(repo: str, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether the hub offers this repository to this user; False after `seconds`.

    Asked with one HEAD request, which the hub may redirect.
    """
    from huggingface_hub import get_token

    found = threading.Event()
    request = Request(f"{endpoint()}/{repo}/resolve/main/README.md", method="HEAD")
    if token := get_token():
        request.add_header("Authorization", f"Bearer {token}")

    def ask() -> None:
        try:
            try:
                answer = build_opener(_Redirects).open(request, timeout=seconds)
            except HTTPError as error:  # also a redirection, and a repository without that file
                answer = error
            with answer:
                if _knows(answer.headers):
                    found.set()
        except (OSError, HTTPException, ValueError):
            pass
        finally:
            done.set()

    # A socket's timeout covers neither the name look-up nor an answer that drips in: a thread that
    # may be left behind does.
    done = threading.Event()
    threading.Thread(target=ask, daemon=True, name="hub-answers").start()
    done.wait(seconds)
    return found.is_set()


class _Redirects(HTTPRedirectHandler):
    """Follows a renamed repository, but not to its files, and takes the token to no other host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if _knows(headers):
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            following.remove_header("Authorization")
        return following


def _knows(headers: Message) -> bool:
    # A log-in page of a hotel answers too; only a hub names the commit.
    return bool(headers.get("X-Repo-Commit")) and headers.get("X-Error-Code") != "RepoNotFound"


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

"""Asking a hub over HTTP."""

import threading
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener


def offers(endpoint: str, repo: str, *, token: str | None, seconds: float) -> bool:
    """Whether a hub offers this repository to the owner of `token`; False after `seconds`."""
    found = threading.Event()
    request = Request(f"{endpoint}/{repo}/resolve/main/README.md", method="HEAD")
    if token:
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

"""A model hub on 127.0.0.1 that serves a folder as a repository."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" * 6 + "c0ff"


@contextmanager
def serving_handler(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer requests with a handler; yields the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextmanager
def serving_folder(repo: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder as a repository; yields the address and the requests."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            requests.append(f"{self.command} {path}")
            name = path.removeprefix(f"/{repo}/resolve/").partition("/")[2]
            if path.startswith(f"/api/models/{repo}/"):
                self._send(200, json.dumps(self._listing(path)).encode())
            elif path.startswith(f"/{repo}/") and (folder / name).is_file():
                self._send(200, (folder / name).read_bytes())
            else:
                self._send(404, b"", "EntryNotFound" if path.startswith(f"/{repo}/") else "Repo")

        def _listing(self, path: str) -> object:
            files = sorted(file for file in folder.rglob("*") if file.is_file())
            names = [file.relative_to(folder).as_posix() for file in files]
            if "/tree/" in path:
                return [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": COMMIT}
                    for name, file in zip(names, files, strict=True)
                ]
            siblings = [{"rfilename": name} for name in names]
            return {"id": repo, "sha": COMMIT, "siblings": siblings}

        def _send(self, status: int, body: bytes, error: str = "") -> None:
            self.send_response(status)
            self.send_header("X-Repo-Commit", COMMIT)
            if error:
                self.send_header("X-Error-Code", error)
            self.send_header("ETag", f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving_handler(Handler) as address:
        yield address, requests

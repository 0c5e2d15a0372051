"""The standalone Milvus server that the PyPI package `milvus` 2.3.5 carries, for Linux."""

import importlib.util
import lzma
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NAMESPACE_SCRIPT = Path(__file__).with_name("milvus_namespace.py")
FORGETS_SOON = {"ttl: 30 #": "ttl: 5 #"}
"""Settings of a server that is ready again soon after a kill: it forgets its old process."""

PORT = 19530  # Milvus's default; always free in a network namespace of its own

# Root needs no user namespace, and containers often forbid one; others need it to make the rest.
NAMESPACES = (
    ["unshare", "--net", "--mount"],
    ["unshare", "--user", "--map-root-user", "--net", "--mount"],
)


class UnavailableError(Exception):
    """This kind of server cannot run on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class StartedServer:
    """A server that may still be starting; `death` returns why it ended, or None while it runs."""

    uri: str
    death: Callable[[], str | None]


class BundledServer:
    """The bundled server, with its data in a folder; it can be killed and started again.

    `unpacked` keeps the 250 MB of executables between runs. Raises UnavailableError.
    """

    def __init__(
        self, unpacked: Path, folder: Path, *, settings: Mapping[str, str] | None = None
    ) -> None:
        """Prepare the folder; start nothing. `settings` replace texts of milvus.yaml."""
        package = bundled_files()
        self._namespaces = available_namespaces()
        unpack(package / "bin", unpacked)
        self._unpacked, self._folder = unpacked, folder
        self._log = configure(package, folder, settings or {})
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Start the server; it is not ready yet."""
        script = [sys.executable, str(NAMESPACE_SCRIPT), str(self._listener.fileno()), str(PORT)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._namespaces, *script, str(self._unpacked / "milvus"), "run", "standalone"],
                cwd=self._folder,  # it reads ./configs
                env=os.environ
                | {"DEPLOY_MODE": "STANDALONE", "LD_LIBRARY_PATH": str(self._unpacked)},
                pass_fds=[self._listener.fileno()],
                stdin=subprocess.PIPE,  # closed when this process ends, in any way
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the tests, which then stop the server
            )

    def kill(self) -> None:
        """Kill it as a lack of memory would; its data stays."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self, seconds: float = 60.0) -> None:
        """End it as a container engine does: SIGTERM, and SIGKILL if it takes too long."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def death(self) -> str | None:
        """Return why it ended; None while it runs."""
        return last_words(self._process, self._log)

    def close(self) -> None:
        """End it, and remove its data."""
        stop(self._process)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def bundled_server(unpacked: Path, folder: Path) -> Iterator[StartedServer]:
    """Start the server with its data in `folder`, which is removed afterwards; it is not ready yet.

    Raises UnavailableError.
    """
    server = BundledServer(unpacked, folder)
    server.start()
    try:
        yield StartedServer(server.uri, server.death)
    finally:
        server.close()


def last_words(process: subprocess.Popen[bytes], log: Path) -> str | None:
    """The lines of the log that say why the process ended, or its last ones; None while it runs."""
    if process.poll() is None:
        return None
    lines = log.read_text(errors="replace").splitlines()
    fatal = [line for line in lines if re.match(r"panic|fatal|.*\[(ERROR|FATAL)\]", line)]
    return "\n".join((fatal or lines)[-5:]) or "it logged nothing"


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the namespace and the server in it."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def bundled_files() -> Path:
    """The folder with the executables and configuration inside the installed package."""
    if named := os.environ.get("CLIPSEARCH_TEST_MILVUS_DIR"):
        package = Path(named)
    elif (spec := importlib.util.find_spec("milvus")) and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
    else:
        raise UnavailableError("the package milvus==2.3.5 is not installed")
    if not (package / "data" / "bin" / "milvus.lzma").is_file():
        raise UnavailableError(
            f"{package} holds no data/bin/milvus.lzma: is it milvus 2.3.5 for Linux?"
        )
    return package / "data"


def available_namespaces() -> list[str]:
    """The command that gives a process its own network and mounts, as far as permissions allow."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        raise UnavailableError("util-linux (unshare, mount) is not installed")
    for command in NAMESPACES:
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    raise UnavailableError(
        "neither root nor unprivileged user namespaces are allowed to unshare here"
    )


def unpack(source: Path, target: Path) -> None:
    """Decompress the executables that are not there yet: ten seconds the first time."""

    def unpack_file(packed: Path) -> None:
        unpacked_file = target / packed.stem
        if unpacked_file.exists():
            return
        part = unpacked_file.with_suffix(f".{os.getpid()}")  # another run may be doing the same
        with lzma.open(packed) as compressed, part.open("wb") as plain:
            shutil.copyfileobj(compressed, plain, 1 << 20)
        part.chmod(0o755)
        part.replace(unpacked_file)

    target.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        list(
            pool.map(
                unpack_file, sorted(source.glob("*.lzma"), key=lambda path: -path.stat().st_size)
            )
        )


def configure(package: Path, folder: Path, changes: Mapping[str, str]) -> Path:
    """Write ./configs for a server that keeps everything in `folder`; return where its log goes."""
    values = {
        "etcd_log_path": folder / "logs" / "etcd.log",
        "system_log_path": folder / "logs",
        "etcd_data_dir": folder / "data" / "etcd",
        "local_storage_dir": folder / "data",
        "rocksmq_data_dir": folder / "data" / "rocksmq",
    }
    for name in ("configs", "data", "logs"):
        (folder / name).mkdir(parents=True)

    def value(slot: re.Match[str]) -> str:
        return str(values.get(slot["name"], slot["default"]))

    # Slots look like {{ name }}, {{ name: default }} and {{ name(type): default }}.
    slots = r"\{\{\s*(?P<name>\w+)(?:\(\w+\))?(?::\s*(?P<default>[^}\s]*))?\s*\}\}"
    template = (package / "config.yaml.template").read_text()
    settings = re.sub(slots, value, template)
    for old, new in changes.items():
        assert old in settings, old
        settings = settings.replace(old, new)
    (folder / "configs" / "milvus.yaml").write_text(settings)
    shutil.copy(package / "glog.conf", folder / "configs")
    return folder / "logs" / "output.log"

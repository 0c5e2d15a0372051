"""The store and the model through a daemon, which is a thread of this process."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clipsearch.daemon import client, encoder_pool, protocol, shared_backend
from clipsearch.daemon.client import DaemonClient, DaemonLostError
from clipsearch.daemon.endpoint import Endpoint, create_endpoint, find_endpoint, is_supported
from clipsearch.daemon.options import parse_duration
from clipsearch.daemon.remote_encoder import remote_encoder
from clipsearch.daemon.server import Server
from clipsearch.errors import (
    DamagedStoreError,
    MissingCollectionError,
    ModelError,
    ModelMismatchError,
    StoreError,
    UsageError,
    VectorError,
)
from clipsearch.images.decode import decode
from clipsearch.index import Index
from clipsearch.models import registry
from clipsearch.models.base import ModelIdentity
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.runtime import Runtime
from clipsearch.session import daemon_of, open_store
from clipsearch.store import Store, local_store
from clipsearch.types import Failure
from clipsearch.uri import parse_uri
from tests.helpers.daemons import bare_process, serving
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import MODEL, many, row

pytestmark = pytest.mark.skipif(not is_supported(), reason="needs Unix sockets")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with seven rows in `photos`."""
    with open_store(tmp_path / "photos.db") as store:
        images = store.create("photos", MODEL)
        images.upsert(many(7))
        images.finish_writes()
    return tmp_path / "photos.db"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, encoder: ColorEncoder) -> list[str]:
    """The names of the loaded models, here or in the daemon; all are the fake encoder."""
    names: list[str] = []

    def load(name: str, runtime: Runtime | None = None) -> ColorEncoder:
        logging.getLogger("clipsearch").info("loading %s", name)
        names.append(name)
        return encoder

    monkeypatch.setattr(registry, "load", load)
    return names


def uses_daemon(store: Store) -> bool:
    return daemon_of(store) is not None


def test_two_commands_read_and_write_one_file_at_once(path: Path) -> None:
    with serving(path), open_store(path) as first, open_store(path) as second:
        assert uses_daemon(first)
        assert uses_daemon(second)
        a, b = first.collection("photos"), second.collection("photos")
        query = np.ones(4, np.float32)
        for number in range(3):
            a.upsert([row(f"/new/{number}.jpg", (1, 1, 1, 1))])
            assert b.count() == 8 + number
            assert b.search(query, limit=1)[0][0].path.parent == Path("/new")
        a.finish_writes()
        assert uses_daemon(first)
        assert uses_daemon(second)


def test_daemon_holds_the_file_between_commands_and_unlocks_it_when_it_stops(path: Path) -> None:
    with serving(path):
        with open_store(path) as store:
            rows = list(store.collection("photos").scan_rows())
        assert path.resolve() in local_store._servers
    assert path.resolve() not in local_store._servers
    with open_store(path) as store:
        assert not uses_daemon(store)
        direct = list(store.collection("photos").scan_rows())
    by_id = {row.record.id: row for row in rows}
    assert by_id.keys() == {row.record.id for row in direct}
    for expected in direct:
        stored = by_id[expected.record.id]
        assert stored.record == expected.record
        np.testing.assert_array_equal(stored.embedding, expected.embedding)


def test_errors_keep_their_type(path: Path, tmp_path: Path) -> None:
    with serving(path), open_store(path) as store:
        with pytest.raises(MissingCollectionError, match="'photos'"):
            store.collection("cats")
        with pytest.raises(UsageError, match="wdth"):
            store.collection("photos").search(np.ones(4, np.float32), limit=1, condition="wdth > 3")
        with pytest.raises(VectorError):
            store.collection("photos").search(np.zeros(4, np.float32), limit=1)
        store.backend.drop("photos")
        with pytest.raises(DamagedStoreError):
            store.find("photos")
        assert uses_daemon(store)


def test_a_closed_store_raises(path: Path) -> None:
    with serving(path):
        store = open_store(path)
        images = store.collection("photos")
        store.close()
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            images.count()


def test_only_one_command_at_a_time_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_backend, "WRITER_SECONDS", 0.05)
    with serving(path), open_store(path) as first, open_store(path) as second:
        a, b = first.collection("photos"), second.collection("photos")
        a.upsert(many(1))
        with pytest.raises(StoreError, match=f"written by another process .{os.getpid()}"):
            b.delete([many(1)[0].record.id])
        assert b.count() == 7
        a.finish_writes()
        b.delete([many(1)[0].record.id])
        with pytest.raises(StoreError, match="being written"):
            a.add_failures([Failure(Path("/a"), "why")])
        second.close()
        deadline = time.monotonic() + 5
        while True:  # the daemon notices the end of a session a moment later
            try:
                a.upsert(many(1))
                break
            except StoreError:
                assert time.monotonic() < deadline


def test_the_lower_bound_of_rows_stays_true_with_several_writers(path: Path) -> None:
    with serving(path), open_store(path) as first, open_store(path) as second:
        a, b = first.collection("photos"), second.collection("photos")
        everything = many(7)
        a.delete([item.record.id for item in everything[:3]])
        a.finish_writes()
        b.delete([everything[3].record.id])  # b last read a count of seven rows
        b.finish_writes()
        a.upsert(everything[:2])
        a.finish_writes()
        found = open_store(path).find("photos")
        assert found is not None
        assert (found.info.rows, found.count()) == (5, 5)


def test_a_concurrent_deletion_is_not_reported_as_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as writer, open_store(path) as reader:
        images = writer.collection("photos")
        names = reader.backend.collection_names

        def meanwhile() -> list[str]:
            images.delete([many(1)[0].record.id])
            return names()

        # Between reading the lower bound and counting.
        monkeypatch.setattr(reader.backend, "collection_names", meanwhile)
        found = reader.find("photos")
        assert found is not None
        assert found.info.rows == 6


def test_a_store_that_was_deleted_or_replaced_is_noticed(path: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as other:
        other.create("photos", MODEL).upsert(many(2))
    with serving(path):
        with open_store(path) as store:
            assert store.collection("photos").count() == 7
        (tmp_path / "other.db").replace(path)
        with open_store(path) as store:
            assert uses_daemon(store)
            assert store.collection("photos").count() == 2
        path.write_bytes(b"")  # written by another process, same name and inode
        with open_store(path) as store:
            assert store.collections() == []
        path.unlink()
        with (
            open_store(path, create=False) as store,
            pytest.raises(StoreError, match=r"no store at .*photos\.db"),
        ):
            store.collections()
        assert not path.exists()
        with open_store(path) as store:
            store.create("photos", MODEL)
            assert uses_daemon(store)
        assert path.exists()


def test_own_writes_do_not_reopen_the_file(path: Path) -> None:
    with serving(path) as server:
        with open_store(path) as store:
            store.collection("photos").upsert(many(2_000))
            kept = server._store._backend
        for _ in range(3):
            with open_store(path) as store:
                store.collection("photos").finish_writes()
        assert server._store._backend is kept


def test_damage_is_checked_before_the_first_write(path: Path) -> None:
    with serving(path):
        with open_store(path, create=False) as store:
            assert store.collection("photos").count() == 7
        size = path.stat()
        with path.open("r+b") as file:
            file.seek(size.st_size // 2)
            file.write(b"\xff" * 4096)
        os.utime(path, ns=(size.st_atime_ns, size.st_mtime_ns))
        with open_store(path, create=True) as store, pytest.raises(DamagedStoreError):
            store.collections()


def test_an_idle_daemon_of_another_version_is_stopped(path: Path) -> None:
    with serving(path, fingerprint="of last year"):
        endpoint = find_endpoint(parse_uri(path).key)
        assert endpoint is not None
        assert client.send_request(endpoint, "status") is not None
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7
        assert client.send_request(endpoint, "status") is None


def test_a_daemon_of_another_version_is_not_stopped_during_a_write(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(path) as server, open_store(path) as writer:
        images = writer.collection("photos")
        images.upsert(many(8))
        server._fingerprint = "of another version"
        uri = parse_uri(path)
        assert DaemonClient.find(uri.key, uri.access_key(None), create=True) is None
        assert f"process {os.getpid()} is writing through it" in caplog.text
        assert uses_daemon(writer)
        images.upsert(many(9))
        assert images.count() == 9


def test_a_stopped_daemon_is_replaced_by_a_direct_connection(path: Path) -> None:
    with open_store(path) as store:  # no daemon runs yet
        assert not uses_daemon(store)
    with serving(path) as server:
        store = open_store(path)
        images = store.collection("photos")
        images.upsert(many(9))
        assert uses_daemon(store)
        server.stop()
        deadline = time.monotonic() + 10
        while client.send_request(create_endpoint(parse_uri(path).key), "status") is not None:
            assert time.monotonic() < deadline
        images.upsert(many(20))
        images.finish_writes()
        assert not uses_daemon(store)
        assert (images.count(), images.info.rows) == (20, 20)
        store.close()


def test_an_unexpected_failure_is_retried_directly(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as store:
        images = store.collection("photos")

        def broken(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr(shared_backend, "_to_plain", broken)
        assert images.count() == 7
        assert not uses_daemon(store)


def test_an_interrupted_call_leaves_no_response_for_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = protocol.receive

    def interrupted(source: socket.socket, on_timeout: Callable[[], None] | None = None) -> object:
        if threading.current_thread() is not threading.main_thread():
            return receive(source, on_timeout)
        monkeypatch.setattr(protocol, "receive", receive)
        raise KeyboardInterrupt

    with serving(path), open_store(path) as store:
        images = store.collection("photos")
        images.upsert(many(8))
        monkeypatch.setattr(protocol, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            images.count("size > 100")
        assert images.count() == 8
        images.finish_writes()  # as an interrupted command does
        assert uses_daemon(store)


def test_two_threads_share_a_session(path: Path) -> None:
    with serving(path), open_store(path) as store:
        images = store.collection("photos")
        counted: list[int] = []
        conditions = [f"size >= {number}" for number in range(7)]
        threads = [
            threading.Thread(
                target=lambda condition=condition: counted.append(images.count(condition))
            )
            for condition in conditions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(counted) == list(range(1, 8))


def test_a_server_is_shared_only_with_the_right_token_and_password() -> None:
    address = "http://user:secret@127.0.0.1:9"
    with serving(address, token="right"):
        where, guess = parse_uri(address), parse_uri(address.replace("secret", "guess"))
        assert "secret" not in where.key
        assert guess.key == where.key
        endpoint = find_endpoint(where.key)
        assert endpoint is not None
        assert DaemonClient.find(where.key, where.access_key("right"), create=True)
        assert DaemonClient.find(where.key, where.access_key("wrong"), create=True) is None
        assert DaemonClient.find(where.key, guess.access_key("right"), create=True) is None
        assert client.send_request(endpoint, "status") is not None


def test_daemon_stops_when_idle_but_not_while_it_is_used(path: Path) -> None:
    with serving(path, idle=0.3):
        endpoint = create_endpoint(parse_uri(path).key)
        with open_store(path) as store:
            time.sleep(0.6)
            state = client.send_request(endpoint, "status")
            assert state is not None
            assert (state["sessions"], state["left"]) == (1, None)
            assert store.collection("photos").count() == 7
            assert uses_daemon(store)
        deadline = time.monotonic() + 10
        while client.send_request(endpoint, "status") is not None:
            assert time.monotonic() < deadline
        assert not endpoint.socket.exists()


def test_a_store_has_one_daemon(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(path)
    endpoint = create_endpoint(parse_uri(path).key)
    with serving(path), pytest.raises(StoreError, match="already has a daemon"):
        Server(endpoint, parse_uri(path), None, idle=1)
    with serving(path), open_store(tmp_path / "link.db") as store:
        assert uses_daemon(store)


def test_a_socket_left_by_a_killed_daemon_is_ignored(path: Path) -> None:
    endpoint = create_endpoint(parse_uri(path).key)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(endpoint.socket))
    with open_store(path) as store:
        assert not uses_daemon(store)
        assert store.collection("photos").count() == 7
    with serving(path), open_store(path) as store:
        assert uses_daemon(store)


def test_a_daemon_that_just_locked_the_file_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([None])
    monkeypatch.setattr(
        "clipsearch.daemon.client.find_endpoint", lambda key: next(looks, find_endpoint(key))
    )
    with bare_process(path):
        with open_store(path) as first:  # the daemon opens the file for this store
            assert not uses_daemon(first)
        looks = iter([])
        with open_store(path) as store:
            assert uses_daemon(store)
            store.collections()
            looks = iter([None])
            with open_store(path) as late:
                assert uses_daemon(late)
                assert late.collection("photos").count() == 7


def test_folder_and_socket_are_private(path: Path) -> None:
    with serving(path):
        endpoint = create_endpoint(parse_uri(path).key)
        assert endpoint.folder.stat().st_mode & 0o777 == 0o700
        assert endpoint.socket.stat().st_mode & 0o777 == 0o600
        endpoint.folder.chmod(0o755)
        try:
            assert find_endpoint(parse_uri(path).key) is None
        finally:
            endpoint.folder.chmod(0o700)


def test_a_process_of_another_user_is_ignored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(path):
        endpoint = create_endpoint(parse_uri(path).key)
        monkeypatch.setattr("clipsearch.daemon.server.is_own_peer", lambda connected: False)
        assert client.send_request(endpoint, "status") is None
        monkeypatch.setattr("clipsearch.daemon.server.is_own_peer", lambda connected: True)
        monkeypatch.setattr("clipsearch.daemon.client.is_own_peer", lambda connected: False)
        assert client.send_request(endpoint, "status") is None
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7


@pytest.mark.parametrize(
    "noise", [b"", b"\xff" * 9, b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_invalid_messages_do_no_harm(path: Path, noise: bytes) -> None:
    with serving(path), open_store(path) as store:
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(create_endpoint(parse_uri(path).key).socket))
            visitor.sendall(noise)
        assert store.collection("photos").count() == 7
        assert uses_daemon(store)


def test_a_daemon_that_does_not_answer_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "GREETING_SECONDS", 0.05)
    endpoint = create_endpoint(parse_uri(path).key)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(endpoint.socket))
        silent.listen()
        with open_store(path) as store:
            assert not uses_daemon(store)
            assert store.collection("photos").count() == 7
    endpoint.socket.unlink()
    assert "`clipsearch warm --stop`" in caplog.text


def test_a_daemon_that_hangs_in_a_call_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", 0.05)
    with serving(path) as server, open_store(path) as store:
        images = store.collection("photos")
        slow = threading.Timer(0.3, server._store._call_lock.release)
        server._store._call_lock.acquire()
        slow.start()
        assert images.count() == 7  # slow, but alive
        assert uses_daemon(store)
        server._store._call_lock.acquire()
        monkeypatch.setattr(client, "send_request", lambda *_: None)
        assert images.count() == 7
        assert not uses_daemon(store)
        server._store._call_lock.release()


def test_the_daemon_loads_a_model_once_for_all_commands(
    tmp_path: Path, image_folder: Path, loads: list[str], encoder: ColorEncoder
) -> None:
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(image_folder)
    loads.clear()
    with serving(tmp_path / "photos.db"):
        for _ in range(3):
            with Index.open(tmp_path / "photos.db") as index:
                assert index.search("green")[0].path.name == "green.png"
        assert loads == ["pocket"]
        draw(image_folder / "new.png", (250, 5, 0))
        with Index.open(tmp_path / "photos.db") as index:
            assert index.encoder is not encoder
            assert index.ingest(image_folder).stored == 1
            assert index.similar(image_folder / "red.png", limit=1)[0].path.name == "new.png"
        assert loads == ["pocket"]


def test_a_model_that_differs_in_the_daemon_is_loaded_here(
    path: Path, loads: list[str], encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as store:
        other = ColorEncoder(weights="0ther").identity
        assert remote_encoder(daemon_of(store), lambda: encoder, MODEL, Runtime("cpu"))
        assert remote_encoder(daemon_of(store), lambda: encoder, other, Runtime("cpu")) is None
        assert remote_encoder(None, lambda: encoder, MODEL, Runtime()) is None

        def missing(name: str, _: Runtime) -> ColorEncoder:
            raise ModelError("no weights")

        monkeypatch.setattr(registry, "load", missing)
        assert remote_encoder(daemon_of(store), lambda: encoder, MODEL, Runtime("cuda")) is None
        encoder.identity = other
        monkeypatch.setattr(registry, "load", lambda *_: encoder)
        with Index.open(path, collection="photos") as index, pytest.raises(ModelMismatchError):
            index.load()


def test_a_lost_encoder_is_replaced_by_a_local_one(path: Path, loads: list[str]) -> None:
    with serving(path) as server, Index.open(path, collection="photos") as index:
        before = index.embed_texts(["red"])
        server.stop()
        deadline = time.monotonic() + 10
        while client.send_request(create_endpoint(parse_uri(path).key), "status") is not None:
            assert time.monotonic() < deadline
        np.testing.assert_array_equal(index.embed_texts(["red"]), before)
        assert len(loads) == 2
        assert index.encoder.logit_scale > 0


def test_log_messages_of_the_daemon_reach_the_command(
    path: Path, loads: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "clipsearch"), serving(path), open_store(path) as store:
        here = threading.get_ident()
        remote_encoder(daemon_of(store), ColorEncoder, MODEL, Runtime())
    heard = [record for record in caplog.records if record.getMessage() == "loading pocket"]
    assert any(record.thread == here for record in heard)


def test_the_daemon_keeps_few_models(path: Path, loads: list[str]) -> None:
    with serving(path) as server, open_store(path) as store:
        for number in range(encoder_pool.MAX_ENCODERS + 2):
            identity = ModelIdentity(f"model {number}", 4, "c0105", "mean color", "fp32")
            assert remote_encoder(daemon_of(store), ColorEncoder, identity, Runtime())
        assert server._encoders.names == [
            f"model {n}" for n in range(2, encoder_pool.MAX_ENCODERS + 2)
        ]


def test_pocket_gives_the_same_vectors_in_the_daemon(path: Path, image_folder: Path) -> None:
    direct = registry.load("pocket")
    images = [decode(file).image for file in sorted(image_folder.iterdir())]
    with serving(path), open_store(path) as store:
        remote = remote_encoder(daemon_of(store), lambda: direct, direct.identity, Runtime())
        assert remote is not None
        assert remote.identity == direct.identity
        assert remote.logit_scale == direct.logit_scale
        assert remote.center_crop == direct.center_crop
        texts = ["a red wall", "two dogs"]
        np.testing.assert_array_equal(embed_texts(remote, texts), embed_texts(direct, texts))
        vectors = embed_images(remote, images)
        np.testing.assert_array_equal(vectors, embed_images(direct, images))
        assert remote.encode_images([]).shape == (0, direct.identity.dim)


def test_unknown_calls_are_refused(path: Path) -> None:
    with serving(path), open_store(path) as store:
        daemon = daemon_of(store)
        assert daemon
        for target, method in (("store", "close"), ("store", "__init__"), ("encoder", "x")):
            with pytest.raises(DaemonLostError):
                daemon.call(target, method)


ARRAYS = arrays.arrays(np.float32, arrays.array_shapes(max_dims=3, min_side=0, max_side=5))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=20) | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values=st.lists(VALUES, min_size=1, max_size=3))
def test_values_survive_the_protocol(values: list[object]) -> None:
    here, there = socket.socketpair()
    with here, there:

        def send_all() -> None:
            for value in values:
                protocol.send(here, value)

        sender = threading.Thread(target=send_all)
        sender.start()
        received = [protocol.receive(there) for _ in values]
        sender.join()
        here.close()
        with pytest.raises(EOFError):
            protocol.receive(there)
    assert repr(received) == repr(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30m", 1800), ("30", 1800), ("90s", 90), ("2h", 7200), ("1d", 86400), (" 1.5H ", 5400)],
)
def test_durations_are_parsed(text: str, expected: float) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-3m", "0", "0s", "3 weeks", "1000d", "nan", "1e9"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="30m"):
        parse_duration(text)


def test_an_endpoint_has_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    endpoint = create_endpoint("somewhere")
    assert isinstance(endpoint, Endpoint)
    assert len(os.fsencode(endpoint.socket)) <= 100


@pytest.fixture(autouse=True)
def no_loading_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "loading"]

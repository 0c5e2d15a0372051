import copy
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.files.paths import canonical, expand_user, is_file, is_folder, is_missing
from clipsearch.images.hashing import image_id
from clipsearch.remote_path import SCHEMES, RemotePath, locate
from clipsearch.store.schema import decode_path, encode_path

keys = st.text(min_size=1).filter(lambda key: not key.startswith("/"))
uris = st.builds(lambda scheme, key: f"{scheme}://{key}", st.sampled_from(SCHEMES), keys)
utf8_uris = uris.filter(lambda uri: not any("\ud800" <= ch <= "\udfff" for ch in uri))


@given(uris)
def test_a_uri_survives_as_it_is(uri: str) -> None:
    path = locate(uri)
    assert isinstance(path, RemotePath)
    assert str(path) == path.as_posix() == path.as_uri() == uri
    assert pickle.loads(pickle.dumps(path)) == copy.deepcopy(path) == path
    assert hash(pickle.loads(pickle.dumps(path))) == hash(path)
    assert canonical(path) is path
    assert expand_user(path) is path


@given(utf8_uris)
def test_the_store_returns_the_same_location(uri: str) -> None:
    path = locate(uri)
    assert decode_path(encode_path(path)) == path
    assert image_id(decode_path(encode_path(path))) == image_id(path)


@given(uris, uris)
def test_two_uris_are_two_locations(one: str, other: str) -> None:
    assert (locate(one) == locate(other)) == (one == other)


@given(utf8_uris)
def test_parents_are_the_prefixes_before_a_slash(uri: str) -> None:
    path = locate(uri)
    for parent in path.parents:
        assert uri.startswith(str(parent))
        assert path.is_relative_to(parent)
    assert path.name == uri.rpartition("/")[2]


def test_keys_with_dots_and_empty_names_stay_apart() -> None:
    texts = ["s3://b/a/x.jpg", "s3://b/a//x.jpg", "s3://b/a/./x.jpg", "s3://b/c/../a/x.jpg"]
    assert len({image_id(locate(text)) for text in texts}) == len(texts)


def test_the_file_system_is_not_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "b").mkdir(parents=True)
    (tmp_path / "s3:" / "b" / "a.jpg").write_bytes(b"not this one")
    path = locate("s3://b/a.jpg")
    assert not path.exists()
    assert not path.is_file()
    assert not is_missing(path)
    with pytest.raises(OSError, match="object store"):
        path.open("rb")
    with pytest.raises(OSError, match="object store"):
        path.read_bytes()
    for reach in (open, os.stat, os.listdir, os.path.realpath, os.unlink, Image.open, bytes):
        with pytest.raises(OSError, match="object store"):
            reach(path)
    assert not is_file(path)
    assert not is_folder(path.parent)
    assert not os.path.lexists(path)


def test_other_uris_and_paths_stay_paths() -> None:
    for text in ("http://h/a.jpg", "/a/b", "file:///a", "s3:/b/a", "ftp://h/a"):
        assert not isinstance(locate(text), RemotePath)
    assert locate("S3://b/a") == locate("s3://b/a")


def test_it_sorts_among_local_paths() -> None:
    paths = [locate("s3://b/z"), Path("/a"), locate("s3://b/a")]
    assert sorted(paths) == [Path("/a"), locate("s3://b/a"), locate("s3://b/z")]
    assert not is_file(paths[0])
    assert not is_folder(paths[0])

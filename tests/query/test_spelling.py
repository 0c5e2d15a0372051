"""Names in any Unicode form (NFC, NFD, mixed) are one name."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.files.exclude import Exclusion
from clipsearch.files.paths import canonical, compose
from clipsearch.query import Filters
from clipsearch.query.condition import select
from clipsearch.store import Collection, Store
from ingest.removal import remove_images
from tests.helpers.records import MODEL, row

LETTERS = st.sampled_from(["K", "a", "é", "ä", "Å", "ế", "が", "한", "日", " ", "1", "İ"])
NAMES = st.lists(LETTERS, min_size=1, max_size=4).map(lambda parts: "x" + "".join(parts))


@st.composite
def forms(draw: st.DrawFn, text: str) -> str:
    """The text with each character in a form of its own."""
    return "".join(
        unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), character)
        for character in unicodedata.normalize("NFC", text)
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with Store.open(tmp_path_factory.mktemp("names") / "images.db") as store:
        yield store.create("images", MODEL)


def found(images: Collection, filters: Filters) -> set[Path]:
    selection = select(filters, images)
    return {r.path for r in images.scan(selection.condition) if selection.matches(r)}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=1, max_size=3), st.data())
def test_every_form_of_a_path_is_the_same_path(
    images: Collection, names: list[str], data: st.DataObject
) -> None:
    path = "/" + "/".join(names)
    stored = {Path(data.draw(forms(path)), "1.jpg") for _ in range(3)}
    images.delete([record.id for record in images.scan()])
    images.upsert([row(path) for path in [*stored, Path("/other/1.jpg"), Path(path + "x/1.jpg")]])
    typed = data.draw(forms(path))
    assert found(images, Filters(under=Path(typed))) == stored
    assert found(images, Filters(glob=typed + "/*")) == stored
    assert found(images, Filters(glob=f"{typed[1:].upper()}/1.JPG")) >= stored
    exclusion = Exclusion([data.draw(forms(names[-1]))])
    assert all(exclusion.matches(str(path.parent), path.parent.name) for path in stored)
    assert remove_images(images, [Path(typed)]) == len(stored)
    assert images.count() == 2


def test_wildcards_and_classes_count_composed_characters() -> None:
    nfd = unicodedata.normalize("NFD", "Käfer")
    for pattern in ("K?fer", "K[äö]fer", "*äfer", unicodedata.normalize("NFD", "K[äö]fer")):
        assert Exclusion([pattern]).matches("/a/" + nfd, nfd)
        assert Filters(glob=pattern).matches_glob(row("/a/" + nfd).record)
    assert not Exclusion(["Kafer", "K*afer"]).matches("/a/" + nfd, nfd)


def test_a_typed_name_becomes_the_one_on_disk(tmp_path: Path) -> None:
    nfc, nfd = compose("Käfer"), unicodedata.normalize("NFD", "Käfer")
    (tmp_path / nfd / "sub").mkdir(parents=True)
    (tmp_path / nfd / (nfd + ".jpg")).touch()
    assert canonical(tmp_path / nfc / "sub") == tmp_path.resolve() / nfd / "sub"
    assert canonical(tmp_path / nfc / (nfc + ".jpg")) == tmp_path.resolve() / nfd / (nfd + ".jpg")
    (tmp_path / nfc).mkdir()
    assert canonical(tmp_path / nfc) == tmp_path.resolve() / nfc
    assert canonical(tmp_path / nfc / "é") == tmp_path.resolve() / nfc / "é"

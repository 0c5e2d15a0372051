"""The syntax of a query on the command line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.query import StoredImage, Term, parse
from clipsearch.query.parser import RemoteImage, split_weight
from clipsearch.remote_path import RemotePath
from tests.helpers.fakes import draw


def _stored(name: str) -> StoredImage:
    """The content for the bare name of a missing file."""
    return StoredImage(path=Path(name))


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        (["bird on a wire"], [Term("bird on a wire")]),
        (["bird", "on", "a", "wire"], [Term("bird on a wire")]),
        (["house", "+", "lake", "-", "people"], [Term("house"), Term("lake"), Term("people", -1)]),
        (["-", "people", "+", "lake"], [Term("people", -1), Term("lake")]),
        (["2:dog"], [Term("dog", 2)]),
        (["2:big", "dog", "-", "0.5:cat"], [Term("big dog", 2), Term("cat", -0.5)]),
        (["16:9"], [Term("16:9")]),
        (["at", "16:9"], [Term("at 16:9")]),
        (["note: this"], [Term("note: this")]),
        (["./lake.jpg"], [Term(Path("./lake.jpg"))]),
        (["at night", "+", "3:lake.JPG"], [Term("at night"), Term(_stored("lake.JPG"), 3)]),
        (["at", "night", "lake.jpg"], [Term("at night"), Term(_stored("lake.jpg"))]),
        (["id:0123abcd", "-", "dog"], [Term(StoredImage("0123abcd")), Term("dog", -1)]),
        (["at", "night", "2:lake.jpg"], [Term("at night"), Term(_stored("lake.jpg"), 2)]),
        (["at", "2:dog"], [Term("at 2:dog")]),
        (["2:20230501.jpg"], [Term(_stored("20230501.jpg"), 2)]),
        (["-", ".5:1000268201_693b08cb0e.jpg"], [Term(_stored("1000268201_693b08cb0e.jpg"), -0.5)]),
        (["2:./9.x"], [Term(Path("9.x"), 2)]),
        (["id: card"], [Term("id: card")]),
        (["id:", "card"], [Term("id: card")]),
        (["id:card"], [Term("id:card")]),
        (["ID:0123abcd"], [Term(StoredImage("0123abcd"))]),
        (["file:///data/my dog.jpg"], [Term(Path("/data/my dog.jpg"))]),
        (["FILE:/data/a.jpg"], [Term(Path("/data/a.jpg"))]),
        (["this: that/those"], [Term("this: that/those")]),
        (["id:0123ABCD"], [Term(StoredImage("0123abcd"))]),
        (["2:https://x.org/a"], [Term(RemoteImage("https://x.org/a"), 2)]),
        (["see https://x.org/a"], [Term("see https://x.org/a")]),
        (["file:///data/my%20dog.jpg"], [Term(Path("/data/my dog.jpg"))]),
        (["2:id:0123abcd"], [Term(StoredImage("0123abcd"), 2)]),
        (
            ["./a.jpg", "-", "people", "./b.jpg"],
            [Term(Path("a.jpg")), Term("people", -1), Term(Path("b.jpg"))],
        ),
        (["-", "a.jpg", "dog"], [Term(_stored("a.jpg"), -1), Term("dog")]),
        (["IMG_1.MPO", "scan.hif"], [Term(_stored("IMG_1.MPO")), Term(_stored("scan.hif"))]),
        (["~$x.jpg"], [Term(_stored("~$x.jpg"))]),
        (["x" * 5000], [Term("x" * 5000)]),
        (["x" * 300 + ".jpg"], [Term(_stored("x" * 300 + ".jpg"))]),
        (["x y" * 200 + ".jpg"], [Term("x y" * 200 + ".jpg")]),
        ([], []),
        (["鳥", "電線"], [Term("鳥 電線")]),
    ],
)
def test_words_become_terms(words: list[str], terms: list[Term]) -> None:
    assert parse(words) == tuple(terms)


@pytest.mark.parametrize("words", [["dog", "+"], ["+", "-", "dog"], ["-"]])
def test_an_operator_without_a_term_is_an_error(words: list[str]) -> None:
    with pytest.raises(UsageError, match="term must"):
        parse(words)


def test_a_folder_called_dog_does_not_capture_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dog").mkdir()
    assert parse(["dog"]) == (Term("dog"),)


def test_an_image_file_with_blanks_in_its_name_is_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "my lake.png")
    assert parse(["my lake.png"]) == (Term(Path("my lake.png")),)


def test_an_existing_file_name_is_not_split_into_weight_and_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "2:lake.png")
    (tmp_path / "2:dog").touch()
    assert parse(["2:lake.png", "+", "2:dog"]) == (Term(Path("2:lake.png")), Term("dog", 2))
    assert split_weight("2:lake.png") == (1, "2:lake.png")
    assert split_weight("2:20230501.jpg") == (2, "20230501.jpg")
    assert split_weight("2:" + "x" * 5000) == (2, "x" * 5000)


@pytest.mark.parametrize(
    "word",
    ["ftp://x.org/a.jpg", "s4://a/b", "http:/x.org/a", "HTTPS:/x", "data:image/png;base64,iVBO"],
)
def test_other_urls_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="https://"):
        parse([word])
    with pytest.raises(UsageError, match="https://"):
        parse(["dog", "-", f"2:{word}"])


def test_an_object_in_a_bucket_is_an_image() -> None:
    assert parse(["s3://a/b"]) == (Term(RemotePath("s3://a/b")),)


@given(
    st.lists(
        st.text(st.characters(categories=("L", "Zs")), min_size=1).filter(str.strip), min_size=1
    )
)
def test_plain_words_never_change_meaning(words: list[str]) -> None:
    assert parse(words) == (Term(" ".join(words)),)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_text_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        Term(text)


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_finite_number(weight: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        Term("dog", weight)

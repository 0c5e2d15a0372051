"""Text files are decoded whatever Windows or Linux wrote them with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.text_encoding import decode_text, detect_encoding

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0\ufeff"), max_size=12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(lines=st.lists(LINE, min_size=1, max_size=5))
def test_any_names_of_files_are_decoded(encoding: str, lines: list[str]) -> None:
    text = "".join(f"{line}.jpg\n" for line in lines)
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_marks_of_joined_files_are_removed(encoding: str) -> None:
    data = "a.jpg\n".encode(encoding) + "b.jpg\n".encode(encoding)
    assert decode_text(data) == "a.jpg\nb.jpg\n"


def test_damaged_text_is_not_decoded() -> None:
    for data in (b"caf\xe9", b"\xff\xfea\0b", "label".encode("utf-16-le") + b"\n"):
        with pytest.raises(UnicodeDecodeError):
            decode_text(data)


@given(st.lists(st.binary(min_size=2).filter(lambda name: not {0, 10} & set(name)), min_size=1))
def test_names_that_end_in_nul_are_not_utf_16(names: list[bytes]) -> None:
    data = b"".join(b"./" + name + b"\0" for name in names)
    assert detect_encoding(data) == "utf-8"

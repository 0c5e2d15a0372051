"""Terms as one text, in the syntax of the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import UsageError
from clipsearch.query.parser import parse
from clipsearch.web.query_text import TextTerm, format_query_text, parse_query_text

ID = "1f00c0" * 5 + "ab"


def pairs(text: str) -> list[tuple[str, float]]:
    return [(term.content, term.weight) for term in parse_query_text(text)]


@pytest.mark.parametrize(
    "text",
    [
        "bird on a wire",
        "house + garden - people",
        "2:dog + beach",
        "- fog",
        "16:9 + 2:5",
        "0.5:a b c - .25:d",
        "it's and/or a-b c+d",
        "id: card",
        "1e1:a",
    ],
)
def test_it_means_the_same_as_on_the_command_line(text: str) -> None:
    expected = [(term.content, term.weight) for term in parse(text.split())]
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('"a + b" c', [("a + b c", 1)]),
        ('2:"red car" - "-"', [("red car", 2), ("-", -1)]),
        ("-1.5:fog", [("fog", -1.5)]),
        (r'"say \"hi\" \\"', [('say "hi" \\', 1)]),
        ('"lake.jpg" + "https://a.b/"', [("lake.jpg", 1), ("https://a.b/", 1)]),
        ('"open end', [("open end", 1)]),
        ("  ", []),
    ],
)
def test_quotes_and_negative_weights(text: str, terms: list[tuple[str, float]]) -> None:
    assert pairs(text) == terms


def test_images_are_ids() -> None:
    assert parse_query_text(f"dog + 2:id:{ID.upper()} - image:q_abcdefgh") == [
        TextTerm("text", "dog", 1),
        TextTerm("id", ID, 2),
        TextTerm("image", "q_abcdefgh", -1),
    ]


@pytest.mark.parametrize("text", ["a +", "+ - a", "-", "a - - b"])
def test_an_operator_needs_a_term(text: str) -> None:
    with pytest.raises(UsageError, match=r"operator|ends with"):
        parse_query_text(text)


@pytest.mark.parametrize(
    "word",
    ["/etc/passwd", "~/a", "../a.jpg", "a.HEIC", "http://a.b", "file:///a", "data:image/png;x"],
)
def test_files_and_urls_are_refused(word: str) -> None:
    for text in (word, f"2:{word}", f"dog + {word}"):
        with pytest.raises(UsageError, match="upload"):
            parse_query_text(text)


weights = st.floats(allow_nan=False, allow_infinity=False).filter(lambda weight: weight != 0)
contents = st.text(min_size=1).filter(lambda text: text.strip())
terms = st.one_of(
    st.builds(TextTerm, st.just("text"), contents, weights),
    st.builds(TextTerm, st.just("id"), st.just(ID), weights),
    st.builds(TextTerm, st.just("image"), st.just("q_abc-DEF_123"), weights),
)


@given(st.lists(terms, max_size=4))
def test_a_formatted_text_parses_into_the_same_terms(given_terms: list[TextTerm]) -> None:
    assert parse_query_text(format_query_text(given_terms)) == given_terms


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_query_text(text)
    except UsageError:
        return
    assert all(term.content.strip() or '"' in text for term in parsed)

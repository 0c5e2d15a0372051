"""`terms.js` parses and writes queries as `clipsearch.web.query_text` does."""

import random
from typing import Any

from playwright.sync_api import Page

from clipsearch.errors import UsageError
from clipsearch.web.query_text import TextTerm, format_query_text, parse_query_text
from clipsearch.web.static_files import static_base

PIECES = (
    *("dog", "house", "a", "Größe", "東京", "16:9", "2:dog", "-0.5:cat", "1e2:x", "2:", ":", "é"),
    *("+", "-", "--", "a+b", "-5", "0:x", "2:3:cat", "x:y", "+2:z", ".5:y", "id:card", "don't"),
    *('"a b"', '"a + b"', '2:"x y"', '"', '"un closed', "\\", '"\\""', '"\\\\"', 'x"y z"', '""'),
    *("id:1f00c0aa", "3:id:abcdef", "image:q_AbC-12345678", "- id:1f00c0aa", "ID:1F00C0AA"),
)
CHARACTERS = 'ab 1.:+-"\\é東_id\u00a0\n'

BOTH = """async ([address, texts, terms]) => {
    const { parseTerms, formatTerms } = await import(address);
    return [texts.map(parseTerms), terms.map(formatTerms)];
}"""


def _as_json(terms: list[TextTerm]) -> list[dict[str, Any]]:
    return [{"kind": t.kind, "content": t.content, "weight": t.weight} for t in terms]


def _texts() -> dict[str, list[TextTerm]]:
    """Queries that the server accepts, with their terms."""
    choose = random.Random(1)
    accepted = {}
    for number in range(3_000):
        pieces = PIECES if number % 3 else CHARACTERS
        count = choose.randint(1, 8)
        text = (" " if number % 3 else "").join(choose.choice(pieces) for _ in range(count))
        try:
            terms = parse_query_text(text)
        except UsageError:
            continue
        if all(term.content.strip() for term in terms):
            accepted[text] = terms
    return accepted


def test_scripts_and_server_agree_on_the_syntax(page: Page) -> None:
    page.goto("/collection")
    texts = _texts()
    assert len(texts) > 1_000
    given = [_as_json(terms) for terms in texts.values()]
    parsed, written = page.evaluate(BOTH, [f"{static_base()}/js/terms.js", list(texts), given])
    for text, terms, found, again in zip(texts, given, parsed, written, strict=True):
        assert found == terms, text
        assert _as_json(parse_query_text(again)) == terms, (text, again)
        assert _as_json(parse_query_text(format_query_text(texts[text]))) == terms

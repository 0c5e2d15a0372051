"""Parse filter expressions such as `width > height and not format in ["gif"]`; without numpy.

    or         = and {("or" | "||") and}
    and        = not {("and" | "&&") not}
    not        = ("not" | "!") not | "(" or ")" | tag | comparison
    tag        = ("array_contains" | "array_contains_any" | "array_contains_all") "(" … ")"
    comparison = operand operator operand {operator operand}
               | field ["not"] "in" "[" value {"," value} "]" | field ["not"] "like" string

Nothing else reaches Milvus, which some malformed expressions end or block.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import NoReturn, TypeVar, cast

from clipsearch.errors import UsageError, shorten
from clipsearch.query.expression import (
    FIELDS,
    METADATA,
    MIRRORED,
    NUMBER_FIELDS,
    TAGS,
    TEXT_FIELDS,
    Comparison,
    HasTag,
    Like,
    Node,
    Operator,
    is_metadata,
    join,
    negate,
)
from clipsearch.query.expression_literal import LITERALS, to_value, unquote
from clipsearch.query.expression_tokens import Token, refuse, tokenize

T = TypeVar("T")

MAX_CHARACTERS = 100_000
MAX_DEPTH = 50
"""Parentheses and negations within each other; Python's own stack has room for more."""


def parse_expression(text: str) -> Node | None:
    """Return the expression, None if it is blank; raise UsageError with the position of a fault."""
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"a filter has at most {MAX_CHARACTERS:,} characters, not {len(text):,}")
    return _Parser(text).parse() if text.strip() else None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokenize(text))
        self._next = 0
        self._last = self._tokens[0]
        self._depth = 0

    def parse(self) -> Node:
        node = self._either()
        if self._token.kind != "end":
            self._fail("expected and, or or the end", at=self._token.position)
        return node

    def _either(self) -> Node:
        parts = [self._all()]
        while self._take("or", "||"):
            parts.append(self._all())
        return join("or", parts)

    def _all(self) -> Node:
        parts = [self._not()]
        while self._take("and", "&&"):
            parts.append(self._not())
        return join("and", parts)

    def _not(self) -> Node:
        if self._depth >= MAX_DEPTH:
            fault = f"more than {MAX_DEPTH} parentheses and negations within each other"
            self._fail(fault, at=self._token.position)
        self._depth += 1
        if self._take("not", "!"):
            node = negate(self._not())
        elif self._take("("):
            node = self._either()
            self._expect(")")
        elif self._token.kind == "name" and self._token.text.lower().startswith("array_contains"):
            node = self._tag()
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _tag(self) -> Node:
        function = self._advance().text.lower()
        is_single = function == "array_contains"
        if not is_single and function not in ("array_contains_any", "array_contains_all"):
            self._fail("unknown function: use array_contains(tags, LABEL)")
        self._expect("(")
        if self._advance().text != TAGS:
            self._fail(f"{function} works with the field {TAGS} only")
        self._expect(",")
        labels = [self._string()] if is_single else self._list(self._string)
        self._expect(")")
        return join("or" if function.endswith("any") else "and", [HasTag(x) for x in labels])

    def _comparison(self) -> Node:
        left = self._operand()
        if left.kind == "name":
            is_negated = self._take("not")
            if self._take("in"):
                values = self._list(lambda: self._value(left.text))
                parts: list[Node] = [Comparison(left.text, "==", value) for value in values]
                return negate(join("or", parts)) if is_negated else join("or", parts)
            if self._take("like"):
                if left.text not in TEXT_FIELDS and not is_metadata(left.text):
                    self._fail(f"like works with {', '.join(TEXT_FIELDS)} and metadata only")
                return Like(left.text, self._string(), is_negated)
            if is_negated:
                self._fail("expected in or like after not", at=self._token.position)
        parts = []
        while self._token.kind == "operator" or not parts:
            if self._token.kind != "operator":
                self._fail("expected <, <=, >, >=, ==, !=, in or like", at=self._token.position)
            operator = cast("Operator", self._advance().text)
            right = self._operand()
            parts.append(self._compare(left, operator, right))
            left = right
        return join("and", parts)

    def _compare(self, left: Token, operator: Operator, right: Token) -> Comparison:
        if left.kind != "name":
            left, operator, right = right, MIRRORED[operator], left
        if left.kind != "name":
            self._fail("a comparison needs a field on one side")
        if right.kind != "name":
            if right.kind == "boolean" and operator not in ("==", "!="):
                self._fail("true and false are compared with == or !=", at=right.position)
            return Comparison(left.text, operator, to_value(self._text, right, left.text))
        places = {"latitude", "longitude"}
        if not {left.text, right.text} <= set(NUMBER_FIELDS) or (left.text in places) != (
            right.text in places
        ):
            fault = f"{left.text} cannot be compared with {right.text}"
            self._fail(fault, at=right.position)
        return Comparison(left.text, operator, other=right.text)

    def _operand(self) -> Token:
        token = self._advance()
        if token.kind == "name":
            if token.text == METADATA:
                return self._metadata(token)
            if token.text not in FIELDS and not is_metadata(token.text):
                self._fail(
                    f"{shorten(token.text)!r} is not a field; the fields are {', '.join(FIELDS)}, "
                    "and strings are in quotes"
                )
            if token.text == TAGS:
                self._fail("use array_contains(tags, LABEL)")
        elif token.kind not in LITERALS:
            self._fail("expected a field, a number or a string")
        return token

    def _metadata(self, token: Token) -> Token:
        """Return metadata["NAME"] as one name, as metadata.NAME is."""
        if not self._take("["):
            self._fail('name the field: metadata.NAME, or metadata["NAME"]')
        name = self._string()
        self._expect("]")
        return token._replace(text=f"{METADATA}.{name}")

    def _value(self, field: str) -> str | Fraction | bool:
        token = self._advance()
        if token.kind not in LITERALS:
            self._fail("expected a string or a number")
        return to_value(self._text, token, field)

    def _list(self, read: Callable[[], T]) -> list[T]:
        self._expect("[")
        values = [read()]
        while self._take(","):
            values.append(read())
        self._expect("]")
        return values

    def _string(self) -> str:
        token = self._advance()
        if token.kind != "string":
            self._fail("expected a string in quotes")
        return unquote(self._text, token)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        self._last = token = self._token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _take(self, *texts: str) -> bool:
        """Move past one of these marks or words, if it is next."""
        is_next = self._token.kind in ("name", "mark") and self._token.text.lower() in texts
        if is_next:
            self._advance()
        return is_next

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            self._fail(f"expected {mark}", at=self._token.position)

    def _fail(self, fault: str, *, at: int | None = None) -> NoReturn:
        """Refuse the token that was read last, or what is at a position."""
        refuse(self._text, self._last.position if at is None else at, fault)

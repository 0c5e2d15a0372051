"""Random filter expressions, mutants of them, and their value by a parser of its own.

An expression is nearly Python, so that Python's parser reads it; values follow SQL: a comparison
with an unknown date or place is neither true nor false.
"""

import ast
import operator
import random
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from clipsearch.query.expression import NUMBER_FIELDS, TEXT_FIELDS
from clipsearch.records import ImageRecord
from clipsearch.store.numbers import DEGREE, NO_VALUE, encode_number
from clipsearch.store.schema import encode_path

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
WORDS = ("and", "or", "not", "in", "like")
MARKS = "(){}[]<>=!&|\"'\\,.%_\0\n~+-*/0x1"
OTHERS = ("tags", "==", "{x}", "1e9")
PLACES = ("latitude", "longitude")
_PART = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<name>[^\W\d]\w*)|(?P<mark><=|>=|==|!=|&&|\|\||[<>!()\[\],])|(?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)


def evaluate(text: str, record: ImageRecord) -> bool | None:
    """The value of an accepted expression for a record; None if it is unknown."""
    return _value(_parse(text), record)


def _parse(text: str) -> ast.expr:
    """Translate an expression to Python, where "like" is an operator that binds strongly."""
    parts, position = [], 0
    while position < len(text):
        match = _PART.match(text, position)
        assert match, f"no part of an expression: {text[position:]!r}"
        position = match.end()
        part = match[0]
        if match["number"]:
            part = f"number({part!r})"
        elif match["string"]:
            part = repr(re.sub(r"\\(.)", r"\1", part[1:-1], flags=re.DOTALL))
        elif match["space"]:
            continue
        elif match["name"] and part.lower() in WORDS:
            part = "@" if part.lower() == "like" else part.lower()
        elif match["name"]:
            part = part.lower() if part.lower().startswith("array") else part
        else:
            part = {"&&": "and", "||": "or", "!": "not"}.get(part, part)
        parts.append(part)
    python = " ".join(parts).replace("not @", "//")
    return ast.parse(f"({python})", mode="eval").body


def _value(node: ast.expr, record: ImageRecord) -> bool | None:
    match node:
        case ast.BoolOp(op=word, values=parts):
            decisive = isinstance(word, ast.Or)
            values = [_value(part, record) for part in parts]
            if decisive in values:
                return decisive
            return None if None in values else not decisive
        case ast.UnaryOp(op=ast.Not(), operand=part):
            value = _value(part, record)
            return None if value is None else not value
        case ast.Call(func=ast.Name(id=name), args=[ast.Name(id="tags"), labels]):
            wanted = ast.literal_eval(labels)
            if name == "array_contains":
                return wanted in record.tags
            has = [label in record.tags for label in wanted]
            return any(has) if name == "array_contains_any" else all(has)
        case ast.BinOp(left=ast.Name(id=field), op=operation, right=ast.Constant(value=pattern)):
            found = _like(str(pattern), _text(field, record))
            return found != isinstance(operation, ast.FloorDiv)
        case ast.Compare(left=left, ops=operators, comparators=others):
            values = [
                _compare(a, symbol, b, record)
                for a, symbol, b in zip([left, *others], operators, others, strict=False)
            ]
            return False if False in values else None if None in values else True
    raise AssertionError(ast.dump(node))


def _compare(left: ast.expr, symbol: ast.cmpop, right: ast.expr, record: ImageRecord) -> Any:
    is_degrees = any(isinstance(part, ast.Name) and part.id in PLACES for part in (left, right))
    scale = DEGREE if is_degrees else 1
    value = _operand(left, record, scale)
    if isinstance(symbol, ast.In | ast.NotIn):
        assert isinstance(right, ast.List)
        found = value in [_operand(part, record, scale) for part in right.elts]
        return None if value is None else found != isinstance(symbol, ast.NotIn)
    other = _operand(right, record, scale)
    return None if None in (value, other) else COMPARE[type(symbol)](value, other)


def _operand(node: ast.expr, record: ImageRecord, scale: int) -> Any:
    match node:
        case ast.Name(id=field) if field in TEXT_FIELDS:
            return _text(field, record)
        case ast.Name(id=field):
            number = encode_number(record, field)
            optional = field in (*PLACES, "taken_at")
            return None if optional and number == NO_VALUE else number
        case ast.Call(args=[ast.Constant(value=text)]):
            return Fraction(str(text)) * scale
        case ast.Constant(value=text):
            return text
    raise AssertionError(ast.dump(node))


def _text(field: str, record: ImageRecord) -> str:
    return encode_path(record.path) if field == "path" else str(getattr(record, field) or "")


def _like(pattern: str, text: str) -> bool:
    regex = "".join(
        ".*" if part == "%" else "." if part == "_" else re.escape(part[-1])
        for part in re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    )
    return re.fullmatch(regex, text, re.DOTALL) is not None


class Generator:
    """Expressions about some records, from a seed."""

    def __init__(self, records: Sequence[ImageRecord], seed: int) -> None:
        """Take values near those of the records, so that about half of the expressions match."""
        self._random = random.Random(seed)
        self._records = records

    def expression(self, leaves: int = 8) -> str:
        """Return a well-formed expression of up to so many comparisons."""
        draw = self._random
        if leaves < 2 or draw.random() < 0.3:
            return self._leaf()
        if draw.random() < 0.25:
            return f"{draw.choice(['not ', 'NOT ', '!', 'not not '])}({self.expression(leaves)})"
        count = draw.randint(2, 4)
        word = draw.choice([" and ", " or ", "&&", " || ", " AND\n", "\tOr "])
        parts = [self.expression(leaves // count) for _ in range(count)]
        return word.join(f"({part})" if draw.random() < 0.8 else self._leaf() for part in parts)

    def mutant(self) -> str:
        """Return an expression in which characters or words are changed, most likely malformed."""
        draw, text = self._random, self.expression(4)
        words = re.findall(r"\w+|\s+|.", text)
        for _ in range(draw.randint(1, 3)):
            position = draw.randrange(len(words))
            match draw.randrange(5):
                case 0:
                    words[position] = ""
                case 1:
                    words[position] += draw.choice([*WORDS, *MARKS])
                case 2:
                    words[position] = draw.choice([*WORDS, *NUMBER_FIELDS, *OTHERS])
                case 3:
                    other = draw.randrange(len(words))
                    words[position], words[other] = words[other], words[position]
                case 4:
                    words = words[: position + 1]
        return "".join(words)

    def _leaf(self) -> str:
        draw, record = self._random, self._random.choice(self._records)
        field = draw.choice(NUMBER_FIELDS)
        symbol = draw.choice(["<", "<=", ">", ">=", "==", "!="])
        space = draw.choice(["", " ", "  ", "\n"])
        match draw.randrange(8):
            case 0 | 1:
                return f"{field}{space}{symbol}{space}{self._number(record, field)}"
            case 2:
                low, high = self._number(record, field), self._number(record, field)
                return f"{low}{space}{symbol}{space}{field} {draw.choice(['<', '<=', '!='])} {high}"
            case 3:
                field, other = draw.choice(
                    [("width", "height"), ("size", "mtime_ns"), PLACES, ("taken_at", "size")]
                )
                return f"{field}{space}{symbol}{space}{other}"
            case 4:
                labels = [self._quote(draw.choice(["cat", "dog", "a b", "x", 'q"']))] * 2
                return draw.choice(
                    [
                        f"array_contains(tags,{space}{labels[0]})",
                        f"ARRAY_CONTAINS_ANY(tags, [{', '.join(labels)}])",
                        f"array_contains_all(tags, [{labels[0]}, {self._quote('cat')}])",
                    ]
                )
            case 5:
                name = draw.choice(TEXT_FIELDS)
                return f"{name} {symbol} {self._quote(_text(name, record))}"
            case 6:
                negation = draw.choice(["", "not "])
                if draw.random() < 0.5:
                    numbers = [self._number(draw.choice(self._records), field) for _ in range(3)]
                    return f"{field} {negation}in [{', '.join(numbers)}]"
                name = draw.choice(TEXT_FIELDS)
                texts = [self._quote(_text(name, r)) for r in draw.choices(self._records, k=3)]
                return f"{name} {negation}in [{', '.join(texts)}]"
        name = draw.choice(TEXT_FIELDS)
        text = _text(name, record)
        start = draw.randint(0, len(text))
        part = text[start : start + draw.randint(0, 9)]
        ends = [f"{text[:start]}%", f"%{text[start:]}"]
        pattern = draw.choice([f"%{part}%", *ends, part, f"_{part}%"])
        negation = draw.choice(["", "not "])
        return f"{name} {negation}{draw.choice(['like', 'LIKE'])} {self._quote(pattern)}"

    def _number(self, record: ImageRecord, field: str) -> str:
        draw, number = self._random, encode_number(record, field)
        if field in PLACES:
            return str(round(draw.choice([number / DEGREE, draw.uniform(-180, 180)]), 4))
        if draw.random() < 0.3:
            return draw.choice(["0", "-5", "1e3", ".5", "+3", "1e308", "-1e999", str(2**63)])
        return draw.choice([str(number), str(number + 1), f"{number}.0", f"{number}.5"])

    def _quote(self, text: str) -> str:
        mark = self._random.choice("\"'")
        return mark + text.replace("\\", "\\\\").replace(mark, f"\\{mark}") + mark

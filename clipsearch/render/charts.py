"""Figures as lists of marks, drawn into a picture or written as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image, ImageDraw

from clipsearch.render.text_image import Lettering, plain_font

FINE = 2  # drawn so many times as large, then reduced: smooth lines

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """From each point to the next, (x, y) in pixels."""

    points: Points
    colour: str
    width: float = 1


@dataclass(frozen=True, slots=True)
class Area:
    """A filled outline."""

    points: Points
    colour: str


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, slots=True)
class Words:
    """Text on a baseline; `anchor` is what of it lies at x: start, middle or end."""

    x: float
    y: float
    text: str
    colour: str
    size: int = 15
    anchor: str = "start"


Mark = Line | Area | Box | Dot | Words


def draw(marks: Sequence[Mark], width: int, height: int) -> Image.Image:
    """The marks on white, as an RGB picture of that size."""
    image = Image.new("RGB", (FINE * width, FINE * height), "white")
    canvas = ImageDraw.Draw(image)
    plain = plain_font("".join(mark.text for mark in marks if isinstance(mark, Words)))
    for mark in marks:
        match mark:
            case Line(points, colour, thick):
                canvas.line(_fine(points), colour, max(1, round(FINE * thick)), joint="curve")
            case Area(points, colour):
                canvas.polygon(_fine(points), colour)
            case Box(x, y, wide, high, colour):
                corners = (x, y, x + wide, y + high)
                canvas.rectangle(tuple(FINE * value for value in corners), colour)
            case Dot(x, y, radius, colour):
                canvas.circle((FINE * x, FINE * y), FINE * radius, colour)
            case Words(x, y, text, colour, size, anchor):
                letters = Lettering(FINE * size, plain)
                shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * letters.width(text)
                letters.draw(canvas, (FINE * x - shift, FINE * y), text, colour)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def svg(marks: Sequence[Mark], width: int, height: int) -> str:
    """The marks as an SVG element that scales with the page around it."""
    elements = "\n".join(map(_element, marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" role="img">\n'
        f"{elements}\n</svg>\n"
    )


def _fine(points: Points) -> list[tuple[float, float]]:
    return [(FINE * x, FINE * y) for x, y in points]


def _pairs(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _element(mark: Mark) -> str:
    match mark:
        case Line(points, colour, thick):
            return (
                f'<polyline points="{_pairs(points)}" fill="none" stroke="{colour}" '
                f'stroke-width="{thick:g}" stroke-linejoin="round"/>'
            )
        case Area(points, colour):
            return f'<polygon points="{_pairs(points)}" fill="{colour}"/>'
        case Box(x, y, wide, high, colour):
            return (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" '
                f'fill="{colour}"/>'
            )
        case Dot(x, y, radius, colour):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'
        case Words(x, y, text, colour, size, anchor):
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                f'fill="{colour}">{escape(text)}</text>'
            )

"""Charts as lists of shapes, drawn into an image or written as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PIL import Image, ImageDraw

from clipsearch.render.font_stack import FontStack, choose_font

OVERSAMPLING = 2  # drawn at this scale and then reduced, for smooth lines

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through (x, y) points in pixels."""

    points: Points
    color: str
    width: float = 1


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled polygon."""

    points: Points
    color: str


@dataclass(frozen=True, slots=True)
class Circle:
    """A filled circle."""

    x: float
    y: float
    radius: float
    color: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text on a baseline; `anchor` says which part of it is at x: start, middle or end."""

    x: float
    y: float
    text: str
    color: str
    size: int = 15
    anchor: str = "start"


Shape = Line | Polygon | Circle | Text


def draw_chart(shapes: Sequence[Shape], width: int, height: int) -> Image.Image:
    """Draw the shapes on white, as an RGB image of that size."""
    image = Image.new("RGB", (OVERSAMPLING * width, OVERSAMPLING * height), "white")
    canvas = ImageDraw.Draw(image)
    font_name = choose_font("".join(shape.text for shape in shapes if isinstance(shape, Text)))
    for shape in shapes:
        match shape:
            case Line(points, color, line_width):
                pixels = max(1, round(OVERSAMPLING * line_width))
                canvas.line(_scale(points), color, pixels, joint="curve")
            case Polygon(points, color):
                canvas.polygon(_scale(points), color)
            case Circle(x, y, radius, color):
                canvas.circle((OVERSAMPLING * x, OVERSAMPLING * y), OVERSAMPLING * radius, color)
            case Text(x, y, text, color, size, anchor):
                font = FontStack(OVERSAMPLING * size, font_name)
                shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * font.width(text)
                font.draw(canvas, (OVERSAMPLING * x - shift, OVERSAMPLING * y), text, color)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def svg_chart(shapes: Sequence[Shape], width: int, height: int) -> str:
    """The shapes as an SVG element that scales with the page around it."""
    elements = "\n".join(map(_svg_element, shapes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" role="img">\n'
        f"{elements}\n</svg>\n"
    )


def _scale(points: Points) -> list[tuple[float, float]]:
    return [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in points]


def _svg_points(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg_element(shape: Shape) -> str:
    match shape:
        case Line(points, color, width):
            return (
                f'<polyline points="{_svg_points(points)}" fill="none" stroke="{color}" '
                f'stroke-width="{width:g}" stroke-linejoin="round"/>'
            )
        case Polygon(points, color):
            return f'<polygon points="{_svg_points(points)}" fill="{color}"/>'
        case Circle(x, y, radius, color):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{color}"/>'
        case Text(x, y, text, color, size, anchor):
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                f'fill="{color}">{escape(text)}</text>'
            )

"""Charts as images and as SVG."""

from xml.etree import ElementTree

import numpy as np

from clipsearch.render.charts import Circle, Line, Polygon, Shape, Text, draw_chart, svg_chart

SHAPES: list[Shape] = [
    Polygon(((10, 10), (30, 10), (30, 30), (10, 30)), "#ff0000"),
    Circle(60, 20, 8, "#0000ff"),
    Line(((0, 45), (100, 45)), "#00ff00", 3),
    Text(50, 80, "<a> & b", "#000000", 16, "middle"),
]


def test_shapes_are_drawn_in_their_places() -> None:
    image = np.asarray(draw_chart(SHAPES, 100, 100))
    assert image.shape == (100, 100, 3)
    assert tuple(image[20, 20]) == (255, 0, 0)
    assert tuple(image[20, 60]) == (0, 0, 255)
    assert tuple(image[45, 50]) == (0, 255, 0)
    assert tuple(image[60, 50]) == (255, 255, 255)
    dark_columns = np.flatnonzero((image[65:85] < 128).all(axis=2).any(axis=0))
    assert abs((dark_columns[0] + dark_columns[-1]) / 2 - 50) < 4  # the text is centered


def test_svg_has_an_element_for_each_shape_with_its_text_escaped() -> None:
    svg = ElementTree.fromstring(svg_chart(SHAPES, 100, 100))
    assert [element.tag.split("}")[1] for element in svg] == [
        "polygon",
        "circle",
        "polyline",
        "text",
    ]
    assert svg.attrib["font-family"] == "system-ui, sans-serif"
    assert svg[3].text == "<a> & b"
    assert svg[3].attrib["font-size"] == "16"
    assert svg[3].attrib["text-anchor"] == "middle"

"""The drawing of an explanation."""

from PIL import Image

from clipsearch.render import heat_map


def test_a_long_query_in_any_script_fits_into_the_image() -> None:
    import numpy as np

    words = [("傘" * 40, 0.2), *((f"word{n}", -0.01 * n) for n in range(30))]
    heat = np.linspace(0, 1, 200, dtype=np.float32).reshape(10, 20)
    for size in ((20, 10), (2000, 300), (300, 2000)):
        image = heat_map.draw_explanation(
            Image.new("RGB", size, "gray"), heat, title="a " * 300, note="n" * 300, words=words
        )
        assert 480 <= image.width <= 1300

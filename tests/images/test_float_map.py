"""Float maps in color give the right pixels in both byte orders."""

import numpy as np
import pytest

from clipsearch.errors import ImageError
from clipsearch.images.decode import decode
from tests.helpers.image_files import distance, scene

VALUES = np.asarray(scene())[::-1].astype(np.float32) / 255


@pytest.mark.parametrize(("order", "scale"), [("<", b"-1.0"), (">", b"1"), ("<", b"-2.5e-1")])
@pytest.mark.parametrize("range_", [1, 255, 4000])
def test_both_byte_orders_and_every_range_are_read(order: str, scale: bytes, range_: int) -> None:
    data = (VALUES * range_).astype(f"{order}f4").tobytes()
    decoded = decode(b"PF\n# comment\n48 32\n" + scale + b"\n" + data)
    assert (decoded.format, decoded.width, decoded.height) == ("ppm", 48, 32)
    # Beyond 255, the lowest value becomes black and the highest white.
    assert distance(decoded.image, scene()) < (1 if range_ <= 255 else 20)


def test_a_cut_map_is_truncated() -> None:
    data = VALUES.astype("<f4").tobytes()
    with pytest.raises(ImageError, match="truncated"):
        decode(b"PF 48 32 -1\n" + data[:9000])


def test_a_header_without_pixels_is_refused() -> None:
    for header in (b"PF ", b"PF 0 0 -1\n", b"PF 99999 99999 -1\n", b"PF 4 4 nan\n"):
        with pytest.raises(ImageError):
            decode(header)

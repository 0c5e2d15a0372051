"""The windows of the occlusion map."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.explain.occlusion import make_windows


@given(st.integers(8, 400), st.integers(8, 400))
def test_windows_cover_every_image(width: int, height: int) -> None:
    for group in make_windows(width, height):
        covered = np.zeros((height, width), dtype=bool)
        for window in group:
            left, upper, right, lower = window.box(width, height)
            assert 0 <= left < right <= width
            assert 0 <= upper < lower <= height
            covered[upper:lower, left:right] = True
        assert covered.all()
    assert sum(map(len, make_windows(width, height))) < 400  # a few seconds at most

"""Images of any size fit the input of a detector."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.detectors.onnx_images import fit_image

HEIGHT, WIDTH = 64, 96
LEVELS = np.array([40, 120, 200], np.uint8)


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    letterboxed=st.booleans(),
)
def test_images_of_any_size_are_fitted(height: int, width: int, letterboxed: bool) -> None:
    image = np.full((height, width, 3), LEVELS, np.uint8)
    fitted, factors = fit_image(image, (HEIGHT, WIDTH), letterboxed=letterboxed)
    assert fitted.shape == (HEIGHT, WIDTH, 3)
    columns, rows = np.rint(factors * [width, height]).astype(int)
    assert (fitted[:rows, :columns] == LEVELS).all()
    assert (fitted[rows:] == 114).all()
    assert (fitted[:, columns:] == 114).all()
    assert rows == HEIGHT or columns == WIDTH
    if not letterboxed:
        assert (rows, columns) == (HEIGHT, WIDTH)

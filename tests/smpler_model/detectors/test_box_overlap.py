"""Areas and overlaps of boxes: laws, and known ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.detectors.box_overlap import box_areas, box_overlaps

corners = st.tuples(*[st.floats(0, 100)] * 4)
boxes = st.lists(
    corners.map(lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))),
    max_size=5,
).map(lambda rows: np.array(rows, np.float64).reshape(-1, 4))


@given(boxes, boxes)
def test_overlaps_lie_within_0_and_1_and_are_symmetric(
    first: np.ndarray, second: np.ndarray
) -> None:
    overlaps = box_overlaps(first, second)
    assert overlaps.shape == (len(first), len(second))
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-12)).all()
    np.testing.assert_allclose(overlaps, box_overlaps(second, first).T)


def test_known_overlaps() -> None:
    first = np.array([[0.0, 0, 2, 2]])
    second = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    np.testing.assert_allclose(box_overlaps(first, second), [[1, 1 / 3, 0]])
    assert box_overlaps(first[:0], second).shape == (0, 3)


def test_a_box_without_an_area_overlaps_nothing() -> None:
    point = np.array([[1.0, 1, 1, 1]])
    assert box_areas(point).tolist() == [0]
    assert box_overlaps(point, np.array([[1.0, 1, 1, 1], [0, 0, 2, 2]])).tolist() == [[0, 0]]

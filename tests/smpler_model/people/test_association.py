"""How boxes and tracks are compared, and what a track predicts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from trackers import IoU

from smpler_model.people.association import HeightOverlap, PersonBox

LEAST = 0.1
numbers = st.floats(0, 500, allow_nan=False)
sizes = st.floats(1, 500, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> NDArray[np.float64]:
    rows = draw(st.lists(st.tuples(numbers, numbers, sizes, sizes), min_size=1, max_size=5))
    corners = np.array(rows)
    return np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:]])


@given(boxes(), boxes())
def test_heights_decide_only_among_boxes_that_overlap_enough(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    plain, modulated = IoU().compute(first, second), HeightOverlap(LEAST).compute(first, second)
    np.testing.assert_array_equal(modulated >= LEAST, plain >= LEAST)
    assert (modulated <= plain + 1e-6).all()
    np.testing.assert_allclose(np.diag(HeightOverlap(LEAST).compute(first, first)), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("in_front", "behind", "both"),
    [
        ([182.0, 123, 260, 344], [165.0, 148, 212, 318], [164.0, 125, 231, 342]),
        ([176.0, 122, 256, 345], [170.0, 136, 234, 331], [157.0, 122, 228, 349]),
    ],
)
def test_a_box_belongs_to_the_track_of_its_height(
    in_front: list[float], behind: list[float], both: list[float]
) -> None:
    """One box is around somebody in front who covers the other."""
    tracks = np.array([in_front, behind])
    box = np.array([both])
    assert IoU().compute(tracks, box).argmax() == 1
    assert HeightOverlap(LEAST).compute(tracks, box).argmax() == 0


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_overlaps_nobody(count: int) -> None:
    some = np.array([[0.0, 0, 10, 10]] * count).reshape(-1, 4)
    assert HeightOverlap(LEAST).compute(some, np.empty((0, 4))).shape == (count, 0)


def follow(rows: list[list[float]]) -> PersonBox:
    """Return the filter after detections."""
    track = PersonBox(np.array(rows[0]))
    for row in rows[1:]:
        track.predict()
        track.update(np.array(row))
    return track


def coast(track: PersonBox, images: int) -> NDArray[np.float64]:
    """Return the predicted boxes (images, 4)."""
    predicted = []
    for _ in range(images):
        track.predict()
        predicted.append(track.state_to_bbox())
    return np.array(predicted)


def test_a_box_that_shrank_keeps_its_size_while_unseen() -> None:
    track = follow([[100.0 + 8 * step, 100, 200 + 2 * step, 300 - 5 * step] for step in range(8)])
    boxes_xyxy = coast(track, 40)
    sizes_px = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    np.testing.assert_allclose(np.diff(sizes_px, axis=0), 0, atol=1e-9)
    assert (sizes_px > 20).all()


def test_who_is_unseen_goes_on_and_slows_down() -> None:
    track = follow([[100.0 + 8 * step, 100, 160 + 8 * step, 300] for step in range(10)])
    left = coast(track, 60)[:, 0]
    steps_px = np.diff(left)
    assert 6 < steps_px[0] < 8
    np.testing.assert_allclose(steps_px[1:] / steps_px[:-1], 0.9)
    track.update(np.array([left[-1], 100, left[-1] + 60, 300]))
    assert abs(np.diff(coast(track, 2)[:, 0])[0]) < 1


def test_a_part_of_somebody_hardly_changes_the_box() -> None:
    whole = [100.0, 100, 160, 300]
    head = [110.0, 100, 150, 150]
    track = follow([whole] * 5 + [head] * 3)
    top, bottom = coast(track, 20)[-1, 1::2]
    assert bottom - top > 120
    assert abs((top + bottom) / 2 - 200) < 50
    lasting = follow([whole] * 5 + [head] * 60)
    np.testing.assert_allclose(coast(lasting, 1)[0], head, atol=3)


def test_a_smaller_box_elsewhere_counts_in_full() -> None:
    track = follow([[100.0, 100, 160, 300], [200.0, 100, 230, 200]])
    assert coast(track, 1)[0, 0] > 150

import numpy as np
import pytest

from benchmarks.boxes import (
    CLOSE,
    DETECTOR,
    BoxErrors,
    compare,
    find_boxes,
    summarise,
    tabulate,
)
from benchmarks.joint_confidence import draw_frames
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.detector import GivenBoxes, detections_from
from synthetic.scene import SyntheticScene

pytestmark = pytest.mark.slow


def errors_of(*mpjpe_mm: float) -> BoxErrors:
    same = np.full(len(mpjpe_mm), 0.5)
    return BoxErrors(same, same, same, np.array(mpjpe_mm), same, same)


def test_overlap_distance_and_scale() -> None:
    """The upper half of a box, and the box moved by a quarter of its height."""
    whole = np.array([[0.0, 0, 50, 100]] * 2)
    boxes = np.array([[0.0, 0, 50, 50], [0, 25, 50, 125]])
    overlap, centre, scale = compare(boxes, whole)
    np.testing.assert_allclose(overlap, [0.5, 0.6])
    np.testing.assert_allclose(centre, [0.25, 0.25])
    np.testing.assert_allclose(scale, [0.5, 1.0])


def test_people_are_compared_one_by_one() -> None:
    """The errors differ by 2 and 4 between the kinds, however much they differ between people."""
    shares = np.array([0.3, 0.4, 0.9, 1.0])
    errors = {"whole": errors_of(102, 14, 50, 70), DETECTOR: errors_of(100, 10, 50, 70)}
    rows = summarise(shares, errors)
    assert [(row["in_view"], row["people"], row["boxes"]) for row in rows] == [
        ("20% to 50%", 2, "whole"),
        ("20% to 50%", 2, DETECTOR),
        ("80% to 100%", 2, "whole"),
        ("80% to 100%", 2, DETECTOR),
    ]
    assert rows[0]["mpjpe_mm"] == 58
    assert rows[0]["more_mm"] == 3
    assert rows[0]["more_error_mm"] == pytest.approx(1 / np.sqrt(2))
    assert rows[2]["more_mm"] == 0
    assert "+3.0 ± 0.7" in tabulate(rows)


def test_boxes_of_people_whom_the_image_cuts_off() -> None:
    """The whole body's box leaves the image, the others do not."""
    body, camera = Body(load_builtin_body()), Camera(640, 480, 1000, 1000, 319.5, 239.5)
    shown = SyntheticScene(body, camera, people=4, seed=0).frame(6_000_000_000)
    given = detections_from(shown.truth.visible_boxes_xyxy)
    detector = GivenBoxes()
    detector.give(given.select(np.arange(len(given)) > 0))  # and one whom it misses
    people, kinds = find_boxes(detector, shown)
    assert people.tolist() == list(range(1, len(given)))
    last = np.array([639, 479, 639, 479])
    assert ((kinds["whole"] < 0) | (kinds["whole"] > last)).any()
    np.testing.assert_array_equal(kinds["in image"], kinds["whole"].clip(0, last))
    np.testing.assert_array_equal(kinds[DETECTOR], kinds["visible"])
    assert (kinds["visible"][:, :2] >= kinds["in image"][:, :2] - 1).all()
    assert (kinds["visible"][:, 2:] <= kinds["in image"][:, 2:] + 1).all()


def test_a_close_camera_cuts_off_most_people() -> None:
    """Their boxes end at the image's edge, and the whole bodies go on beyond it."""
    frames = list(draw_frames(Body(load_builtin_body()), range(1), 4, CLOSE))
    assert {shown.frame.camera for shown in frames} == set(CLOSE)
    below = np.concatenate([shown.truth.boxes_xyxy[:, 3] > 480 for shown in frames])
    assert below.mean() > 0.5

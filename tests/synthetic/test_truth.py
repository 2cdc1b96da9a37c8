"""What ground truth says about how much of people is in view."""

import numpy as np
import pytest
from numpy.typing import NDArray

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from synthetic.scene import SyntheticScene
from synthetic.truth import PosedPeople, people_from_truth, tell_truth

CAMERA = Camera(160, 120, 112.5, 112.5, 79.5, 59.5)


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="module")
def posed(body: Body) -> PosedPeople:
    """Somebody who stands before the camera, wholly in the image."""
    scene = SyntheticScene(body, CAMERA, people=3, seed=3, background="plain")
    for second in range(0, 30, 3):
        people = scene._pose_people(second * 10**9, scene.world_from_camera(0))
        pixels = CAMERA.project(people.vertices_m)
        inside = ((pixels > 0) & (pixels < (CAMERA.width - 1, CAMERA.height - 1))).all((1, 2))
        if inside.any():
            row = [int(inside.argmax())]
            return PosedPeople(
                people.ids[row],
                people.rotations[row],
                people.betas[row],
                people.translations_m[row],
                people.joints_m[row],
                people.vertices_m[row],
            )
    raise AssertionError("nobody is wholly in the image")


def in_view(posed: PosedPeople, shown: NDArray[np.int32]) -> NDArray[np.bool_]:
    return tell_truth(posed, shown, CAMERA, np.eye(4)).joints_in_view[0]


def test_all_joints_of_somebody_unhidden_are_in_view(posed: PosedPeople) -> None:
    shown = np.full((CAMERA.height, CAMERA.width), posed.ids[0], np.int32)
    assert in_view(posed, shown).all()


def test_joints_behind_somebody_else_are_not_in_view(posed: PosedPeople) -> None:
    columns = CAMERA.project(posed.joints_m)[0, :, 0]
    middle = int(np.median(columns))
    shown = np.full((CAMERA.height, CAMERA.width), posed.ids[0], np.int32)
    shown[:, :middle] = posed.ids[0] + 1
    seen = in_view(posed, shown)
    np.testing.assert_array_equal(seen, np.rint(columns) >= middle)
    assert 0 < seen.sum() < 24


def test_joints_beyond_the_edge_are_not_in_view(posed: PosedPeople) -> None:
    aside = posed.translations_m.copy()
    aside[:, 0] += 0.5 * CAMERA.width / CAMERA.fx * posed.joints_m[0, 0, 2]
    moved = PosedPeople(
        posed.ids,
        posed.rotations,
        posed.betas,
        aside,
        posed.joints_m + (aside - posed.translations_m)[:, None],
        posed.vertices_m,
    )
    shown = np.full((CAMERA.height, CAMERA.width), posed.ids[0], np.int32)
    columns = CAMERA.project(moved.joints_m)[0, :, 0]
    np.testing.assert_array_equal(in_view(moved, shown), columns < CAMERA.width - 0.5)
    assert (columns >= CAMERA.width).any()


def test_as_people_joints_out_of_view_have_no_confidence(body: Body) -> None:
    scene = SyntheticScene(body, CAMERA, people=3, seed=3, background="plain")
    truth = scene.frame(12 * 10**9).truth
    confidences = people_from_truth(truth).joint_confidences
    assert confidences is not None
    np.testing.assert_array_equal(confidences > 0, truth.joints_in_view)
    assert set(np.unique(confidences)) <= {0.0, 1.0}

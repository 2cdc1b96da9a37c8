import numpy as np
import pytest
import torch

from smpler_model.body import Body
from smpler_model.builtin_body import load_builtin_body
from smpler_model.camera import Camera
from smpler_model.synthetic.lens import LensCanvas
from smpler_model.synthetic.scene import CameraMotion, SyntheticScene

CAMERA = Camera(160, 120, 130.0, 130.0, 80.0, 60.0)
LENS = Camera(160, 120, 130.0, 130.0, 80.0, 60.0, "plumb_bob", (-0.25, 0.07, 0.001, -0.001, 0.0))
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="module")
def scene(body: Body) -> SyntheticScene:
    return SyntheticScene(body, LENS, people=3, seed=3, camera_motion="drive")


def test_frames_are_a_function_of_time(body: Body, scene: SyntheticScene) -> None:
    first = scene.frame(5 * SECOND_NS)
    scene.frame(9 * SECOND_NS)
    again = scene.frame(5 * SECOND_NS)
    other = SyntheticScene(body, LENS, people=3, seed=3, camera_motion="drive").frame(
        5 * SECOND_NS
    )
    for frame in (again, other):
        np.testing.assert_array_equal(frame.frame.rgb, first.frame.rgb)
        np.testing.assert_array_equal(frame.truth.rotations, first.truth.rotations)
    assert first.frame.stamp_ns == 5 * SECOND_NS


def test_parameters_give_the_joints_that_are_seen(body: Body, scene: SyntheticScene) -> None:
    truth = scene.frame(12 * SECOND_NS).truth
    assert len(truth) > 0
    joints = body.joints(
        torch.from_numpy(truth.rotations).float(), torch.from_numpy(truth.betas).float()
    )
    placed = joints.numpy() + truth.translations_m[:, None]
    np.testing.assert_allclose(placed, truth.joints_m, atol=1e-5)
    np.testing.assert_allclose(LENS.project(truth.joints_m), truth.keypoints_px, atol=1e-9)


@pytest.mark.parametrize("camera", [CAMERA, LENS], ids=["pinhole", "plumb_bob"])
def test_pixels_and_truth_agree(body: Body, camera: Camera) -> None:
    """The box of the projected surface holds the pixels of a person alone in view."""
    scene = SyntheticScene(body, camera, people=1, seed=1)
    for second in (0, 6, 11):
        frame = scene.frame(second * SECOND_NS)
        whole, seen = frame.truth.boxes_xyxy[0], frame.truth.visible_boxes_xyxy[0]
        assert np.abs(whole - seen).max() < 4  # clothes and hair stand off the skin
        u, v = frame.truth.keypoints_px[0, 3].round().astype(int)
        assert frame.people[v, u] == 1


def test_people_enter_and_leave_and_keep_their_ids(scene: SyntheticScene) -> None:
    seen = [set(scene.frame(s * SECOND_NS).truth.ids.tolist()) for s in range(0, 30, 2)]
    assert set.union(*seen) == {1, 2, 3}
    assert min(map(len, seen)) < 3
    for frame in (scene.frame(s * SECOND_NS) for s in (4, 14)):
        assert set(np.unique(frame.people)) - {0} == set(frame.truth.ids.tolist())


@pytest.mark.parametrize(("motion", "moves"), [("still", False), ("pan", True), ("drive", True)])
def test_cameras_move_when_asked(body: Body, motion: CameraMotion, moves: bool) -> None:
    scene = SyntheticScene(body, CAMERA, people=0, camera_motion=motion)
    start, later = scene.world_from_camera(0), scene.world_from_camera(2 * SECOND_NS)
    assert (not np.allclose(start, later)) == moves
    np.testing.assert_allclose(later[:3, :3] @ later[:3, :3].T, np.eye(3), atol=1e-12)
    assert len(scene.frame(0).truth) == 0


def test_lens_canvas_holds_the_whole_image() -> None:
    canvas = LensCanvas(LENS)
    size = canvas.pinhole
    white = np.full((size.height, size.width, 3), 255, np.uint8)
    assert canvas.bend(white).min() == 255
    assert LensCanvas(CAMERA).pinhole == CAMERA


def test_unusable_numbers_are_refused(body: Body) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        SyntheticScene(body, CAMERA, people=-1)

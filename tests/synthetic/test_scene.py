import cv2
import numpy as np
import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from synthetic.camera.lens import LensCanvas
from synthetic.scene import SyntheticScene
from synthetic.scene_kinds import CameraMotion
from synthetic.truth import people_from_truth

pytestmark = pytest.mark.slow

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
    """The box of the projected mesh contains the pixels of a person alone in view."""
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


class UnculledScene(SyntheticScene):
    def _may_see(self, joints: np.ndarray) -> np.ndarray:
        return np.ones(len(joints), bool)


def test_people_stand_on_the_floor_wherever_the_camera_looks(body: Body) -> None:
    found = []
    for motion in ("still", "pan", "drive"):
        moving = SyntheticScene(body, CAMERA, people=1, camera_motion=motion, background="plain")
        truth = moving.frame(3 * SECOND_NS).truth
        pose = truth.world_from_camera
        found.append(truth.joints_m[0] @ pose[:3, :3].T + pose[:3, 3])
    assert 0 < found[0][:, 2].min() < 0.06  # a foot's joint above its sole
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_people_who_are_not_posed_would_not_be_seen(body: Body, scene: SyntheticScene) -> None:
    """Nobody is missing, and somebody was skipped."""
    unculled = UnculledScene(body, LENS, people=3, seed=3, camera_motion="drive")
    pose = scene.world_from_camera(0)
    assert len(scene._pose_people(0, pose).ids) < len(unculled._pose_people(0, pose).ids) == 3
    for second in range(0, 30, 6):
        frame, expected = (s.frame(second * SECOND_NS) for s in (scene, unculled))
        np.testing.assert_array_equal(frame.people, expected.people)
        np.testing.assert_array_equal(frame.truth.ids, expected.truth.ids)


def test_before_a_plain_background_there_are_only_people(body: Body) -> None:
    scene = SyntheticScene(body, CAMERA, people=2, seed=1, background="plain")
    frame = scene.frame(3 * SECOND_NS, depth=True)
    assert frame.frame.depth_m is not None
    shown = frame.people > 0
    assert 0.02 < shown.mean() < 0.9
    np.testing.assert_array_equal(np.isfinite(frame.frame.depth_m), shown)
    edge = cv2.dilate(shown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (frame.frame.rgb[~edge] == 128).all()


def test_truth_as_people_is_certain(scene: SyntheticScene) -> None:
    truth = scene.frame(12 * SECOND_NS).truth
    people = people_from_truth(truth, first_id=10)
    np.testing.assert_array_equal(people.ids, truth.ids + 10)
    np.testing.assert_array_equal(people.joints_m, truth.joints_m)
    assert (people.scores == 1).all()
    assert not people.covariances_m2.any()


def test_lens_canvas_holds_the_whole_image() -> None:
    canvas = LensCanvas(LENS)
    size = canvas.pinhole
    white = np.full((size.height, size.width, 3), 255, np.uint8)
    assert canvas.bend(white).min() == 255
    assert LensCanvas(CAMERA).pinhole == CAMERA


def test_unusable_numbers_are_refused(body: Body) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        SyntheticScene(body, CAMERA, people=-1)


def test_the_room_is_empty_at_first_when_asked(body: Body) -> None:
    scene, usual = (
        SyntheticScene(body, CAMERA, people=1, seed=1, empty_s=empty_s, background="plain")
        for empty_s in (0.5, 0.0)
    )
    before, after = int(0.4e9), int(0.6e9)
    assert len(usual.frame(before).truth.ids) == 1
    assert len(scene.frame(before).truth.ids) == 0
    assert len(np.unique(scene.frame(before).frame.rgb)) == 1
    np.testing.assert_array_equal(scene.frame(after).frame.rgb, usual.frame(after).frame.rgb)

from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import H36M_JOINTS, SMPL_JOINTS
from smpler_model.body.smpl import Body
from synthetic.camera.cameras import draw_cameras, look_at, project
from synthetic.crop_style import CropStyle
from synthetic.crops import BACKGROUND, PART_STRIDE, CropRenderer, DrawnCrops
from synthetic.people.poses import draw_poses
from synthetic.people.recorded import RecordedPoses, write_poses
from synthetic.world.photos import ScenePhoto, ScenePhotos

pytestmark = pytest.mark.slow

SIZE = 96


@pytest.fixture(scope="module")
def renderer() -> CropRenderer:
    return CropRenderer(Body(load_builtin_body()), SIZE)


@pytest.fixture(scope="module")
def crops(renderer: CropRenderer) -> DrawnCrops:
    return renderer.draw(16, torch.Generator().manual_seed(3))


def test_shapes(crops: DrawnCrops) -> None:
    cells = SIZE // PART_STRIDE
    assert crops.images.shape == (16, 3, SIZE, SIZE)
    assert crops.parts.shape == (16, cells, cells)
    assert crops.keypoints.shape == (16, len(SMPL_JOINTS) + len(H36M_JOINTS), 2)


def test_seeded(renderer: CropRenderer, crops: DrawnCrops) -> None:
    again = renderer.draw(16, torch.Generator().manual_seed(3))
    other = renderer.draw(16, torch.Generator().manual_seed(4))
    for field in fields(DrawnCrops):
        assert torch.equal(getattr(again, field.name), getattr(crops, field.name)), field.name
    assert not torch.equal(other.images, crops.images)


def test_keypoints_are_the_body_s_joints(renderer: CropRenderer, crops: DrawnCrops) -> None:
    """From the parameters alone, in the estimator's conventions."""
    joints = renderer.body.joints(crops.rotations, crops.betas) + crops.translation_m[:, None]
    pixels = project(joints, crops.intrinsics)
    span = (pixels + 0.5) / SIZE * 2 - 1
    torch.testing.assert_close(crops.keypoints[:, :24], span, atol=1e-3, rtol=0)


def test_parts_lie_under_their_joints(crops: DrawnCrops) -> None:
    """The trunk's cells surround the trunk's joints wherever these are visible."""
    cells = crops.parts.shape[-1]
    place = ((crops.keypoints[:, 3] + 1) / 2 * cells).long()  # spine1
    inside = ((place >= 1) & (place < cells - 1)).all(1)
    found = torch.stack(
        [
            crops.parts[i, place[i, 1], place[i, 0]]
            if inside[i]
            else torch.tensor(BACKGROUND, dtype=torch.uint8)
            for i in range(16)
        ]
    )
    assert (found[inside] != BACKGROUND).float().mean() > 0.6


def test_most_people_stand_upright(renderer: CropRenderer) -> None:
    crops = renderer.draw(64, torch.Generator().manual_seed(5))
    head, ankles = crops.keypoints[:, 15, 1], crops.keypoints[:, 7:9, 1].mean(1)
    assert (head < ankles).float().mean() > 0.9


def test_left_is_on_the_right_of_who_faces_the_camera(renderer: CropRenderer) -> None:
    crops = renderer.draw(64, torch.Generator().manual_seed(6))
    # The front of the body, z of the pelvis, points against the camera's view.
    facing = crops.rotations[:, 0, 2, 2] < -0.5
    left, right = crops.keypoints[facing, 1, 0], crops.keypoints[facing, 2, 0]
    assert facing.sum() > 5
    assert (left > right).all()


def test_cameras_see_the_origin() -> None:
    poses = draw_cameras(200, torch.Generator().manual_seed(0))
    distance = poses[:, :2, 3].norm(dim=1)
    assert distance.min() > 1.49
    assert distance.max() < 10.01
    turns = poses[:, :3, :3]
    torch.testing.assert_close(
        turns @ turns.transpose(1, 2), torch.eye(3).expand(200, 3, 3), atol=1e-5, rtol=0
    )
    point = torch.tensor([0.0, 0.0, 0.9]) - poses[:, :3, 3]
    seen = (turns.transpose(1, 2) @ point[..., None])[..., 0]
    assert (seen[:, 2] > 0).all()
    assert (seen[:, :2].norm(dim=1) / seen[:, 2]).max() < 0.6


def test_close_cameras_look_down_and_are_rolled_and_leave_the_others_as_they_are() -> None:
    usual = draw_cameras(200, torch.Generator().manual_seed(0))
    some = draw_cameras(200, torch.Generator().manual_seed(0), close=0.5)
    changed = (usual != some).flatten(1).any(1)
    assert 70 < changed.sum() < 130
    close = some[changed]
    distance, height = close[:, :2, 3].norm(dim=1), close[:, 2, 3]
    assert (distance.min() > 1.19, distance.max() < 4.01) == (True, True)
    assert (height.min() > 0.99, height.max() < 3.01) == (True, True)
    down = torch.rad2deg(torch.asin(-close[:, 2, 2]))  # below the horizon
    assert (down > 20).float().mean() > 0.3
    roll = torch.rad2deg(torch.asin(close[:, 2, 0] / close[:, :2, 2].norm(dim=1)))
    assert roll.abs().max() < 30.1
    assert roll.std() > 12


def test_look_at_a_point_ahead() -> None:
    pose = look_at(torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 1.0]]))[0]
    expected = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    torch.testing.assert_close(pose[:3, :3], expected)


def test_a_batch_may_have_nobody_in_a_recorded_pose(tmp_path: Path) -> None:
    write_poses(draw_poses(1, torch.Generator().manual_seed(0)), tmp_path / "poses.npz")
    style = CropStyle(everyday=1.0, recorded=1e-6)
    body = Body(load_builtin_body())
    renderer = CropRenderer(body, SIZE, style=style, poses=RecordedPoses(tmp_path))
    assert len(renderer.draw(1, torch.Generator().manual_seed(0))) == 1


def test_recorded_people_take_recorded_poses(tmp_path: Path) -> None:
    pose = draw_poses(1, torch.Generator().manual_seed(2))
    write_poses(pose, tmp_path / "one.npz")
    style = CropStyle(recorded=1.0)
    renderer = CropRenderer(
        Body(load_builtin_body()), SIZE, style=style, poses=RecordedPoses(tmp_path)
    )
    knees = renderer.draw(8, torch.Generator().manual_seed(0)).rotations[:, 4:6]
    bent = ((knees.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).acos().sort(1).values
    given = ((pose[0, 4:6].diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).acos().sort().values
    torch.testing.assert_close(bent, given.expand(8, 2), atol=0.3, rtol=0)


def test_photos_and_clutter_stand_behind_people(tmp_path: Path) -> None:
    """Photos of one colour give crops whose border has it, up to the sensor."""
    path = tmp_path / "green.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), (20, 180, 20), np.uint8))
    body = Body(load_builtin_body())
    flawless = {"sensor_strength": 0.0, "truncated": 0.0, "hidden": 0.0}
    photos = ScenePhotos([ScenePhoto(path, np.zeros((0, 4)))])
    green = CropRenderer(body, SIZE, style=CropStyle(photographed=1.0, **flawless), photos=photos)
    cluttered = CropRenderer(body, SIZE, style=CropStyle(cluttered=1.0, **flawless))
    corners = [
        renderer.draw(8, torch.Generator().manual_seed(0)).images[..., :8, :8].float()
        for renderer in (green, cluttered)
    ]
    red, green_light, _ = corners[0].mean((2, 3)).T
    assert ((green_light - red) > 60).float().mean() > 0.8
    assert corners[0].std((2, 3)).median() < 2
    assert corners[1].std((2, 3)).median() > 2


@pytest.mark.parametrize("side", [0, 75])
def test_sides_that_cannot_be_drawn_are_refused(side: int) -> None:
    with pytest.raises(ValueError, match=f"positive multiple of 8 pixels, got {side}; use"):
        CropRenderer(Body(load_builtin_body()), side)


def test_styles_that_need_poses_or_photos_say_so() -> None:
    body = Body(load_builtin_body())
    for style in (CropStyle(recorded=0.5), CropStyle(photographed=0.5)):
        with pytest.raises(ValueError, match="needs poses and photos"):
            CropRenderer(body, SIZE, style=style)

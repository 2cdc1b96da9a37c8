"""People in other frames, and those of several cameras in one."""

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.frames import People
from smpler_model.people.common_frame import are_same, join_truths, move_people, rows_of
from tests.smpler_model.viewing.conftest import posed_people

BODY = Body(load_builtin_body()).eval()


def some_pose() -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (0.3, 1.0, -0.4)).as_matrix()
    pose[:3, 3] = 1.0, -2.0, 0.5
    return pose


def test_moved_people_are_posed_as_smpl_poses_them() -> None:
    pose = some_pose()
    people = replace(posed_people(BODY, 2), footprints_m=np.zeros((2, 3)))
    moved = move_people(people, pose)
    tensors = (torch.from_numpy(each).float() for each in (moved.rotations, moved.betas))
    with torch.inference_mode():
        mesh = BODY.mesh(*tensors)
    placed = mesh.vertices.numpy() + moved.translations_m[:, None]
    assert people.vertices_m is not None
    assert moved.vertices_m is not None
    np.testing.assert_allclose(moved.vertices_m, placed, atol=1e-5)
    expected = people.vertices_m @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(moved.vertices_m, expected, atol=1e-5)
    np.testing.assert_allclose(moved.footprints_m, np.tile(pose[:3, 3], (2, 1)))
    turn = pose[:3, :3]
    np.testing.assert_allclose(moved.covariances_m2[0], turn @ people.covariances_m2[0] @ turn.T)
    back = move_people(moved, np.linalg.inv(pose))
    for name in ("rotations", "translations_m", "joints_m", "covariances_m2"):
        np.testing.assert_allclose(getattr(back, name), getattr(people, name), atol=1e-12)


def shifted(people: People, by_m: float) -> People:
    return replace(people, joints_m=people.joints_m + np.array([by_m, 0, 0]))


def test_everybody_is_there_once_with_an_id_of_their_own() -> None:
    first = posed_people(BODY, 2, step_m=2.0)  # ids 3 and 4
    near = shifted(rows_of(first, np.array([1])), 0.1)  # 4, as another camera has it
    other = shifted(rows_of(first, np.array([0])), 10.0)  # called 3 there
    assert are_same(first, near).tolist() == [[False], [True]]
    joined = join_truths([first, near, other])
    assert joined.ids[:2].tolist() == [3, 4]
    assert len(set(joined.ids.tolist())) == len(joined) == 3
    np.testing.assert_array_equal(joined.joints_m[:2], first.joints_m)
    np.testing.assert_array_equal(joined.joints_m[2:], other.joints_m)

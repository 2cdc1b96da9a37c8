import math
from pathlib import Path

import numpy as np
import pytest
import torch

from synthetic.people.poses import draw_poses, mirror_rotations
from synthetic.people.recorded import RecordedPoses, write_poses

SWAY = 0.3  # rad; no joint sways further


def angles(rotations: torch.Tensor) -> torch.Tensor:
    trace = rotations.diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1, 1).acos()


def test_all_files_of_a_folder_are_read_back(tmp_path: Path) -> None:
    poses = draw_poses(5, torch.Generator().manual_seed(0))
    write_poses(poses[:2], tmp_path / "a.npz")
    write_poses(poses[2:], tmp_path / "b.npz")
    torch.testing.assert_close(RecordedPoses(tmp_path).rotations, poses, atol=1e-5, rtol=0)


def test_people_take_a_recorded_pose_or_its_mirror_image(tmp_path: Path) -> None:
    pose = draw_poses(1, torch.Generator().manual_seed(1))
    write_poses(pose, tmp_path / "one.npz")
    recorded = RecordedPoses(tmp_path)
    drawn = recorded.draw(40, torch.Generator().manual_seed(0))
    off = [angles(each.transpose(2, 3) @ drawn).amax(1) for each in (pose, mirror_rotations(pose))]
    mirrored = off[1] < off[0]
    assert 8 < mirrored.sum() < 32
    assert torch.minimum(*off).max() < SWAY
    assert torch.equal(drawn, recorded.draw(40, torch.Generator().manual_seed(0)))
    assert recorded.draw(0, torch.Generator().manual_seed(0)).shape == (0, 24, 3, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"poses": np.zeros((2, 24, 3))}, "must hold poses, got"),
        ({"rotation_vectors": np.zeros((2, 72))}, r"must have rotation_vectors \(n, 24, 3\)"),
        ({"rotation_vectors": np.full((1, 24, 3), math.nan)}, "must hold finite numbers"),
    ],
)
def test_other_files_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "poses.npz", allow_pickle=False, **arrays)
    with pytest.raises(ValueError, match=message):
        RecordedPoses(tmp_path)


def test_damaged_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="got none in"):
        RecordedPoses(tmp_path)
    (tmp_path / "cut.npz").write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match="must hold poses"):
        RecordedPoses(tmp_path)

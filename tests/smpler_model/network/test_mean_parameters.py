from pathlib import Path

import numpy as np
import pytest

from smpler_model.network.mean_parameters import MeanParameters, load_mean_parameters


def test_parameters_are_read_from_the_released_layout(tmp_path: Path) -> None:
    path = tmp_path / "smpl_mean_params.npz"
    pose, shape, cam = np.arange(144.0), np.arange(10.0)[None], np.array([0.9, 0, 0])
    np.savez(path, pose=pose, shape=shape, cam=cam)
    mean = load_mean_parameters(path)
    assert np.array_equal(mean.pose_6d, pose)
    assert np.array_equal(mean.betas, shape[0])
    assert np.array_equal(mean.camera, cam.astype(np.float32))
    assert mean.pose_6d.dtype == np.float32


def test_file_without_a_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, pose=np.zeros(144))
    with pytest.raises(ValueError, match="got no shape, cam"):
        load_mean_parameters(path)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "smpl_mean_params.npz"
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="cannot be read as one"):
        load_mean_parameters(path)


def test_axis_angles_are_not_mistaken_for_six_numbers() -> None:
    zeros = np.zeros(10, np.float32)
    with pytest.raises(ValueError, match=r"pose_6d must be \(144,\), got \(72,\)"):
        MeanParameters(np.zeros(72, np.float32), zeros, zeros[:3])

"""The parameters from which the initial estimate starts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smpler_model.body.archives import read_npz
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT

_UPRIGHT = (1, 0, 0, -1, 0, 0)
_UNTURNED = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True, eq=False)
class MeanParameters:
    """Mean pose, shape and camera.

    Attributes:
        pose_6d: (144,) the 24 joints' rotations, six numbers each (`geometry.rotation_from_6d`).
        betas: (10,).
        camera: (3,) weak perspective (s, tx, ty).

    Raises:
        ValueError: an array has the wrong shape.
    """

    pose_6d: NDArray[np.float32]
    betas: NDArray[np.float32]
    camera: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, size in (
            ("pose_6d", 6 * len(SMPL_JOINTS)),
            ("betas", SMPL_SHAPE_COUNT),
            ("camera", 3),
        ):
            shape = getattr(self, name).shape
            if shape != (size,):
                raise ValueError(f"{name} must be ({size},), got {shape}; flatten or cut it")


def upright_parameters() -> MeanParameters:
    """Return an upright rest pose; the camera's y axis points down."""
    pose = np.tile(np.array(_UNTURNED, np.float32), len(SMPL_JOINTS))
    pose[:6] = _UPRIGHT
    camera = np.array([1, 0, 0], np.float32)
    return MeanParameters(pose, np.zeros(SMPL_SHAPE_COUNT, np.float32), camera)


def load_mean_parameters(path: str | Path) -> MeanParameters:
    """Read `smpl_mean_params.npz`, which holds `pose` (144), `shape` (10) and `cam` (3).

    Raises:
        ValueError: the file is damaged, or lacks an array or has one of a wrong shape.
        FileNotFoundError: there is no such file.
    """
    names = ("pose", "shape", "cam")
    archive = read_npz(Path(path), names)
    missing = [name for name in names if name not in archive]
    if missing:
        raise ValueError(
            f"{path} must hold {', '.join(names)}, got no {', '.join(missing)}; "
            "give smpl_mean_params.npz"
        )
    return MeanParameters(*(archive[name].ravel().astype(np.float32) for name in names))

"""Recorded poses of real people, from the user's files.

A file is an `npz` archive with `rotation_vectors`, (n, 24, 3) numbers: the rotation vector of each
SMPL joint, rad, with the pelvis's as in `poses.draw_poses`, independent of the person's heading.
`python -m training.data.fit_poses` creates such files.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Generator, Tensor

from smpler_model.atomic_files import write_atomically
from synthetic.noise import draw_chance
from synthetic.people.gestures import JOINT
from synthetic.people.moments import sway
from synthetic.people.poses import mirror_rotations

_NAME = "rotation_vectors"
_REMEDY = "create it with python -m training.data.fit_poses"


class RecordedPoses:
    """The poses in all files of a folder, in memory."""

    def __init__(self, folder: Path) -> None:
        """Read a folder.

        Raises:
            FileNotFoundError: it has no such files.
            ValueError: a file has another format.
        """
        paths = sorted(folder.glob("*.npz"))
        if not paths:
            raise FileNotFoundError(
                f"poses must be a folder with .npz files, got none in {folder}; create one with "
                "python -m training.data.fit_poses"
            )
        vectors = np.concatenate([_read(path) for path in paths])
        matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
        self.rotations = torch.from_numpy(matrices).float().view(len(vectors), -1, 3, 3)

    def __len__(self) -> int:
        return len(self.rotations)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw (n, 24, 3, 3) poses from a CPU generator.

        Half of them are mirrored; every joint deviates slightly from the recording.
        """
        chosen = self.rotations[torch.randint(len(self), (n,), generator=generator)]
        mirrored = draw_chance(0.5, (n, 1, 1, 1), generator)
        return sway(torch.where(mirrored, mirror_rotations(chosen), chosen), generator)


def write_poses(rotations: Tensor, path: Path) -> None:
    """Write poses (n, 24, 3, 3) as a file that `RecordedPoses` reads."""
    vectors = Rotation.from_matrix(rotations.flatten(0, 1).double().numpy()).as_rotvec()
    arrays = {_NAME: vectors.reshape(len(rotations), -1, 3).astype(np.float32)}
    write_atomically(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def _read(path: Path) -> NDArray[np.float32]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            vectors = archive[_NAME]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} must hold poses, got {error}; {_REMEDY}") from None
    if vectors.ndim != 3 or vectors.shape[1:] != (len(JOINT), 3) or not len(vectors):
        raise ValueError(
            f"{path} must have rotation_vectors (n, 24, 3), got {vectors.shape}; {_REMEDY}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError(f"{path} must hold finite numbers, got others; {_REMEDY}")
    return np.asarray(vectors, np.float32)

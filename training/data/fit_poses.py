"""Create a file of poses from people's joints: `python -m training.data.fit_poses FROM TO`.

FROM is a folder: either photos prepared by `prepare_photos`, with joints in metres, of which the
training split is used; or recorded motion as BVH files, in folders of any depth. (CMU's
recordings, mocap.cs.cmu.edu, are free for all uses; several people have converted them to BVH.) TO
is an .npz file in the folder that a run's crops name as `poses`.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from synthetic.people.recorded import write_poses
from training.data.motion_files import read_bvh
from training.data.photo_files import BODY_ROWS, PHOTO_JOINTS, PhotoFiles
from training.data.pose_fitting import NEEDED, FittedPoses, fit_poses

WORST_M = 0.08  # largest mean error of a pose; others are left out
_LEAST_KNOWN = 10  # minimum number of known points per person
_BATCH = 500
_PHOTO_ROWS = [
    row for row, at in enumerate(BODY_ROWS) if at < len(SMPL_JOINTS) or PHOTO_JOINTS[row] == "nose"
]
_BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


@dataclass(frozen=True)
class BodyPoints:
    """n people's points.

    Attributes:
        names: (k,) SMPL's joints, or the nose.
        points_m: (n, k, 3) metres, y up.
        confidence: (n, k), 0 where unknown.
    """

    names: tuple[str, ...]
    points_m: Tensor
    confidence: Tensor

    def __len__(self) -> int:
        return len(self.points_m)

    def __getitem__(self, rows: Tensor | slice) -> "BodyPoints":
        return BodyPoints(self.names, self.points_m[rows], self.confidence[rows])

    def known_well(self) -> "BodyPoints":
        """Return the people with enough known points to fit a pose."""
        known = self.confidence > 0
        needed = known[:, [self.names.index(name) for name in NEEDED]].all(1)
        return self[needed & (known.sum(1) >= _LEAST_KNOWN)]


def read_people(folder: Path, rate_hz: float, body: Body) -> list[BodyPoints]:
    """Return the people of a folder, one list item per set of joints.

    Args:
        folder: prepared photos or BVH files.
        rate_hz: number of poses taken per second of motion.
        body: body to whose size recorded skeletons are scaled.

    Raises:
        FileNotFoundError: the folder has neither.
        ValueError: a file is damaged, or its skeleton lacks joints.
    """
    recordings = sorted(folder.rglob("*.bvh"))
    if recordings:
        alike: dict[tuple[str, ...], list[BodyPoints]] = {}
        for path in tqdm(recordings, desc="read"):
            people = read_recording(path, rate_hz, body)
            alike.setdefault(people.names, []).append(people)
        return [_join(names, parts) for names, parts in alike.items()]
    joints = torch.from_numpy(PhotoFiles(folder, "train").stored.joints[:, _PHOTO_ROWS])
    names = tuple(PHOTO_JOINTS[row] for row in _PHOTO_ROWS)
    upright = torch.tensor([1.0, -1.0, -1.0])  # from the axes of a level camera
    return [BodyPoints(names, joints[..., :3] * upright, joints[..., 3]).known_well()]


def read_recording(path: Path, rate_hz: float, body: Body) -> BodyPoints:
    """Return the poses of a BVH file, scaled to a body's size.

    Raises:
        ValueError: the file is damaged, or its skeleton lacks joints.
    """
    recording = read_bvh(path)
    rows = recording.rows()
    bones = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _BONES]
    missing = [name for bone in bones for name in bone if name not in rows]
    if missing:
        raise ValueError(
            f"{path} must have a skeleton with limbs, got no {missing[0]} among "
            f"{', '.join(recording.names)}; remove it"
        )
    every = max(round(1 / (rate_hz * recording.frame_s)), 1)
    points = recording.points[::every, list(rows.values())]
    names = tuple(rows)
    ends = np.array([[names.index(name) for name in bone] for bone in bones]).T
    theirs = np.linalg.norm(np.subtract(*points[0, ends]), axis=1).sum()
    joints = body.rest_joints.numpy()
    wanted = np.array([[SMPL_JOINTS.index(name) for name in bone] for bone in bones]).T
    scale = np.linalg.norm(np.subtract(*joints[wanted]), axis=1).sum() / theirs
    scaled = torch.from_numpy(points * scale).float()
    return BodyPoints(names, scaled, torch.ones(scaled.shape[:2]))


def _join(names: tuple[str, ...], parts: list[BodyPoints]) -> BodyPoints:
    points = torch.cat([part.points_m for part in parts])
    return BodyPoints(names, points, torch.cat([part.confidence for part in parts]))


def fit_people(body: Body, people: list[BodyPoints]) -> FittedPoses:
    """Fit everybody's pose, in batches; errors have one column, their mean.

    Raises:
        ValueError: there are no people.
    """
    parts = [each[i : i + _BATCH] for each in people for i in range(0, len(each), _BATCH)]
    if not parts:
        raise ValueError(
            "poses need people whose hips, shoulders and most other joints are known in space, "
            "got none"
        )
    fitted = [
        fit_poses(body, part.names, part.points_m, part.confidence)
        for part in tqdm(parts, desc="fit")
    ]
    return FittedPoses(
        torch.cat([fit.rotations for fit in fitted]),
        torch.cat([fit.errors_m.nanmean(1, keepdim=True) for fit in fitted]),
    )


def main() -> int:
    """Parse the command line and fit; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Create a file of poses from joints in space.")
    parser.add_argument("source", type=Path, help="folder of prepared photos or of BVH files")
    parser.add_argument("target", type=Path, help=".npz file in a folder for `poses`")
    parser.add_argument("--rate-hz", type=float, default=2.0, help="poses per second of motion")
    chosen = parser.parse_args()
    try:
        if chosen.target.suffix != ".npz":
            raise ValueError(f"the target must be an .npz file, got {chosen.target}; rename it")
        if not chosen.rate_hz > 0:
            raise ValueError(f"--rate-hz must be positive, got {chosen.rate_hz:g}")
        body = Body(load_builtin_body())
        fitted = fit_people(body, read_people(chosen.source, chosen.rate_hz, body))
        kept = fitted.errors_m[:, 0] < WORST_M
        if not kept.any():
            raise ValueError(
                f"poses must fit to {1000 * WORST_M:.0f} mm, got none that do; give other joints"
            )
        chosen.target.parent.mkdir(parents=True, exist_ok=True)
        write_poses(fitted.rotations[kept], chosen.target)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    error_mm = 1000 * fitted.errors_m[kept].mean()
    sys.stdout.write(
        f"{chosen.target}: {kept.sum()} of {len(kept)} poses, with a mean error of "
        f"{error_mm:.1f} mm\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

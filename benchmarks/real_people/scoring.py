"""Metrics on real people: distances of joints in photos, and of bodies in space in videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.real_people.folder import JOINTS, PhotoTruth, VideoTruth
from smpler_model.array_types import Floats
from smpler_model.people.metrics import MM_FROM_M, aligned_joint_error

PCK_SHARES = (0.1, 0.05)
"""A joint counts as found if it is closer than this fraction of the box's longer side."""

_SHOULDERS, _HIPS = (
    [JOINTS.index(f"left_{name}"), JOINTS.index(f"right_{name}")] for name in ("shoulder", "hip")
)


@dataclass(frozen=True)
class PhotoScores:
    """Errors of the joints of people in photos.

    Attributes:
        people: number of scored people who were found; the others do not count.
        expected: number of scored people.
        pck: fraction of the labelled joints that are found, for each of `PCK_SHARES`.
        mean_error: mean over people of their joints' mean distance, as a fraction of the box.
    """

    people: int
    expected: int
    pck: tuple[float, ...]
    mean_error: float

    def line(self, title: str) -> str:
        """Return the metrics as a line to print."""
        found = "   ".join(
            f"PCK@{share:g} of the box {value:.3f}"
            for share, value in zip(PCK_SHARES, self.pck, strict=True)
        )
        return (
            f"{title}: {self.people} of {self.expected} people   {found}   "
            f"mean error {self.mean_error:.3f}"
        )


@dataclass(frozen=True)
class VideoScores:
    """Errors of a person's joints in space; means or medians over frames.

    Attributes:
        frames: number of frames in which the person was found; the others do not count.
        expected: number of scored frames.
        mpjpe_mm: mean distance of the 12 joints, with aligned hips' midpoints.
        pa_mpjpe_mm: the same after the best similarity transform.
        hips_m: median distance of the hips' midpoint, in the camera's frame.
        turn_deg: median angle between the torsos' facing directions.
    """

    frames: int
    expected: int
    mpjpe_mm: float
    pa_mpjpe_mm: float
    hips_m: float
    turn_deg: float

    def line(self, title: str) -> str:
        """Return the metrics as a line to print."""
        return (
            f"{title}: {self.frames} of {self.expected} frames   MPJPE {self.mpjpe_mm:.0f} mm   "
            f"PA-MPJPE {self.pa_mpjpe_mm:.0f} mm   hips off {self.hips_m:.2f} m   "
            f"torso turned {self.turn_deg:.0f} deg"
        )


def score_photos(
    photos: Sequence[PhotoTruth], found_px: Mapping[str, Sequence[Floats | None]]
) -> PhotoScores | None:
    """Compare people with their labels; people who are not scored are left out.

    Args:
        photos: photos with labels.
        found_px: (12, 2) joints of each person of each photo, by its name; None for somebody who
            was not found.

    Returns:
        The metrics; None if nobody is scored, or none of them was found.
    """
    errors = [
        np.linalg.norm(joints_px - person.joints_px, axis=-1)[person.labelled] / person.size_px
        for photo in photos
        for person, joints_px in zip(photo.people, found_px[photo.image], strict=True)
        if person.counts and joints_px is not None
    ]
    if not errors:
        return None
    every_joint = np.concatenate(errors)
    return PhotoScores(
        len(errors),
        count_people(photos),
        tuple(float((every_joint < share).mean()) for share in PCK_SHARES),
        float(np.mean([each.mean() for each in errors])),
    )


def count_people(photos: Sequence[PhotoTruth]) -> int:
    """Return the number of people who are scored."""
    return sum(person.counts for photo in photos for person in photo.people)


def score_video(video: VideoTruth, found_m: Mapping[int, Floats]) -> VideoScores | None:
    """Compare a person with the ground truth.

    Args:
        video: video with labels.
        found_m: (12, 3) joints of the scored frames in which the person was found, by their
            numbers.

    Returns:
        The metrics; None if the person was found in no frame.
    """
    numbers = [number for number in video.scored_frames if number in found_m]
    if not numbers:
        return None
    found = np.array([found_m[number] for number in numbers])
    truth = video.joints_m[numbers]
    hips, true_hips = hips_of(found), hips_of(truth)
    apart = (found - hips[:, None]) - (truth - true_hips[:, None])
    cosines = (facing_of(found) * facing_of(truth)).sum(-1)
    return VideoScores(
        len(found),
        len(video.scored_frames),
        MM_FROM_M * float(np.linalg.norm(apart, axis=-1).mean()),
        float(aligned_joint_error(found, truth).mean()),
        float(np.median(np.linalg.norm(hips - true_hips, axis=-1))),
        float(np.median(np.rad2deg(np.arccos(cosines.clip(-1, 1))))),
    )


def average(scores: Sequence[VideoScores]) -> VideoScores:
    """Return the means over videos, however many frames each has."""
    names = ("mpjpe_mm", "pa_mpjpe_mm", "hips_m", "turn_deg")
    means = (float(np.mean([getattr(each, name) for each in scores])) for name in names)
    frames, expected = (
        sum(getattr(each, name) for each in scores) for name in ("frames", "expected")
    )
    return VideoScores(frames, expected, *means)


def hips_of(joints: Floats) -> Floats:
    """Return the midpoints (..., d) of the hips of joints (..., 12, d)."""
    return np.asarray(joints[..., _HIPS, :].mean(-2))


def facing_of(joints_m: Floats) -> Floats:
    """Return the unit normals (..., 3) of torsos, out of the chest, for joints (..., 12, 3)."""
    across = joints_m[..., _HIPS[0], :] - joints_m[..., _HIPS[1], :]
    up = joints_m[..., _SHOULDERS, :].mean(-2) - hips_of(joints_m)
    normals = np.cross(across, up)
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True))

"""People as one view sees them, moved to the fixed frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.camera import Camera
from smpler_model.frames import CameraPose, FrameResult, People, details_of
from smpler_model.people.bones import chain
from smpler_model.people.floor import move_plane

USUAL_OVERLAP = 0.6
"""Intersection over union of a detected box with that of the joints, which excludes the surface
around them; less indicates a body that does not explain the box.
"""

LEAST_FIT = 0.05

LEAST_CONFIDENCE = 0.02
"""Of joints outside an image: they count only where no view shows them."""

SIZE_DOUBT = 1.7
"""Spread of distances, relative to that of the covariances, which account for adults' heights, but
not for networks that make some poses too large or too small.
"""

_LEAST_SPREAD_M = 1e-4


@dataclass(frozen=True)
class Sightings:
    """n sightings of people: one row each in every array.

    Attributes:
        ids: (n) of the tracks.
        states: (n) uint8 `frames.TrackState`.
        scores: (n) of the detections.
        sources: (n) uint8 `TranslationSource`.
        cameras_m: (n, 3) positions of the cameras.
        bones: (n, 24, 3, 3) `fixed_from_joint`.
        betas: (n, 10).
        joints_m: (n, 24, 3).
        covariances_m2: (n, 3, 3) of the translations.
        confidences: (n, 24).
        fits: (n) how well the body fits the box that was detected, above 0 to 1, see `fits_of`.
        foot_contacts: (n, 2); NaN where unknown.
        velocities_m_s: (n, 3); NaN where unknown.
        velocity_covariances_m2_s2: (n, 3, 3); NaN where unknown.
    """

    ids: Integers
    states: NDArray[np.uint8]
    scores: Floats
    sources: NDArray[np.uint8]
    cameras_m: Floats
    bones: Floats
    betas: Floats
    joints_m: Floats
    covariances_m2: Floats
    confidences: Floats
    fits: Floats
    foot_contacts: Floats
    velocities_m_s: Floats
    velocity_covariances_m2_s2: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sure(self) -> Floats:
        """How much each joint counts, (n, 24), above 0 to 1."""
        return np.maximum(self.confidences, LEAST_CONFIDENCE) * self.fits[:, None]

    @property
    def trusts(self) -> Floats:
        """How much each sighting counts, (n), above 0 to 1."""
        return np.asarray(self.sure.mean(-1))

    @property
    def spreads(self) -> Floats:
        """Standard deviations (n) of the distances from the cameras, over the distances."""
        rays = self.joints_m[:, 0] - self.cameras_m
        squares = (rays**2).sum(-1)
        along2 = np.einsum("ni,nij,nj->n", rays, self.covariances_m2, rays) / squares
        relative2 = (along2 + _LEAST_SPREAD_M**2) / squares
        return np.asarray(SIZE_DOUBT * np.sqrt(relative2 / self.trusts))


@dataclass(frozen=True)
class View:
    """What a camera saw in one image.

    Attributes:
        frame_id: the fixed frame.
        floor: (4) plane of the floor in the fixed frame; None if unknown.
        people: the people.
    """

    frame_id: str
    floor: Floats | None
    people: Sightings


def view_of(result: FrameResult) -> View:
    """Return what a camera saw.

    Raises:
        ValueError: the camera is not calibrated, or has no pose in the fixed frame.
    """
    if result.pose is None:
        raise ValueError(
            "a view must have the camera's pose in a fixed frame, got none; set fixed_frame to a "
            "frame that TF connects with all cameras"
        )
    if not result.camera.calibrated:
        raise ValueError(
            "a view must be of a calibrated camera, got an assumed field of view; publish the "
            "camera's calibration"
        )
    people = sightings_of(result.people, result.camera, result.pose)
    floor = result.floor
    if floor is not None:
        floor = move_plane(floor, result.pose.fixed_from_camera)
    return View(result.pose.frame_id, floor, people)


def sightings_of(people: People, camera: Camera, pose: CameraPose) -> Sightings:
    """Return people of a camera's optical frame in the fixed frame."""
    turn, place = pose.fixed_from_camera[:3, :3], pose.fixed_from_camera[:3, 3]
    details, confidences = details_of(people), people.joint_confidences
    return Sightings(
        ids=people.ids,
        states=people.states,
        scores=people.scores,
        sources=people.sources,
        cameras_m=np.tile(place, (len(people), 1)),
        bones=turn @ chain(people.rotations),
        betas=people.betas,
        joints_m=people.joints_m @ turn.T + place,
        covariances_m2=turn @ people.covariances_m2 @ turn.T,
        confidences=np.ones(people.joints_m.shape[:2]) if confidences is None else confidences,
        fits=fits_of(people, camera),
        foot_contacts=details["foot_contacts"],
        velocities_m_s=details["velocities_m_s"],
        velocity_covariances_m2_s2=details["velocity_covariances_m2_s2"],
    )


def fits_of(people: People, camera: Camera) -> Floats:
    """Return how well bodies fit their boxes, (n), above 0 to 1.

    Where little of a person is visible, the box is small and the network must guess; its body,
    projected into the image, is then larger than the box, or elsewhere. Squared, as a poor fit
    concerns more than the joints outside: all of the body is a guess.
    """
    edge = (camera.width - 1, camera.height - 1)
    shown = np.isfinite(people.keypoints_px)
    low = np.where(shown, people.keypoints_px, np.inf).min(1, initial=np.inf)
    high = np.where(shown, people.keypoints_px, -np.inf).max(1, initial=-np.inf)
    low, high = np.clip(low, 0, edge), np.clip(high, 0, edge)
    boxes_low, boxes_high = people.boxes_xyxy[:, :2], people.boxes_xyxy[:, 2:]
    common = np.maximum(np.minimum(high, boxes_high) - np.maximum(low, boxes_low), 0).prod(1)
    areas = (np.maximum(high - low, 0).prod(1), (boxes_high - boxes_low).prod(1))
    overlaps = common / np.maximum(areas[0] + areas[1] - common, 1.0)
    return np.asarray(np.clip(overlaps / USUAL_OVERLAP, LEAST_FIT, 1.0) ** 2)


def join(views: Sequence[Sightings]) -> Sightings:
    """Return the sightings of several views as one."""
    columns: dict[str, Any] = {
        each.name: np.concatenate([getattr(view, each.name) for view in views])
        for each in fields(Sightings)
    }
    return Sightings(**columns)

"""Ground truth of the people in a rendered frame, also in the form of the pipeline's results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.camera import Camera
from smpler_model.frames import Frame, People, TrackState, TranslationSource

LEAST_SEEN_PX = 40  # a person with fewer visible pixels does not count as in the image


@dataclass(frozen=True)
class GroundTruth:
    """The n visible people of a frame, in the camera's optical frame.

    Attributes:
        ids: (n,) int64, constant over all frames; from 1.
        rotations: (n, 24, 3, 3), the pelvis's in the camera's frame.
        betas: (n, 10).
        translations_m: (n, 3) SMPL's translation, added to its vertices and joints.
        joints_m: (n, 24, 3).
        keypoints_px: (n, 24, 2) projected joints, with lens distortion; NaN behind the camera.
        joints_in_view: (n, 24) whether the person is what the image shows there: not where the
            joint is outside the image, or behind somebody or something.
        boxes_xyxy: (n, 4) around the whole body, pixels; may exceed the image.
        visible_boxes_xyxy: (n, 4) around the visible pixels of the person.
        world_from_camera: (4, 4), z up, the floor at 0.
    """

    ids: Integers
    rotations: Floats
    betas: Floats
    translations_m: Floats
    joints_m: Floats
    keypoints_px: Floats
    joints_in_view: NDArray[np.bool_]
    boxes_xyxy: Floats
    visible_boxes_xyxy: Floats
    world_from_camera: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class SceneFrame:
    """A frame with its ground truth.

    Attributes:
        frame: image, timestamp, calibration, and depth if requested.
        truth: ground truth of the visible people.
        people: (h, w) int32 id of the person at each pixel, 0 for none.
    """

    frame: Frame
    truth: GroundTruth
    people: NDArray[np.int32]


@dataclass(frozen=True)
class PosedPeople:
    """p people around a camera, visible or not.

    Attributes:
        ids: (p,) int64, from 1.
        rotations: (p, 24, 3, 3), the pelvis's in the camera's frame.
        betas: (p, 10).
        translations_m: (p, 3).
        joints_m: (p, 24, 3) in the camera's frame.
        vertices_m: (p, v, 3) in the camera's frame.
    """

    ids: Integers
    rotations: Floats
    betas: Floats
    translations_m: Floats
    joints_m: Floats
    vertices_m: Floats


def tell_truth(
    people: PosedPeople, shown: NDArray[np.int32], camera: Camera, world_from_camera: Floats
) -> GroundTruth:
    """Return the ground truth of sufficiently visible people.

    Args:
        people: people around the camera.
        shown: (h, w) id of the person at each pixel, 0 for none.
        camera: camera of the image.
        world_from_camera: (4, 4).
    """
    most = int(people.ids.max(initial=0))
    counts = np.bincount(shown.reshape(-1), minlength=most + 1)[people.ids]
    rows = np.flatnonzero(counts >= LEAST_SEEN_PX)
    ids = people.ids[rows]
    visible = np.array([_box_of(shown == id_) for id_ in ids], np.float64).reshape(-1, 4)
    outlines = camera.project(people.vertices_m[rows])
    joints = people.joints_m[rows]
    keypoints = camera.project(joints)
    return GroundTruth(
        ids=ids,
        rotations=people.rotations[rows],
        betas=people.betas[rows],
        translations_m=people.translations_m[rows],
        joints_m=joints,
        keypoints_px=keypoints,
        joints_in_view=_owners_at(keypoints, shown) == ids[:, None],
        boxes_xyxy=np.hstack((np.nanmin(outlines, 1), np.nanmax(outlines, 1))).reshape(-1, 4),
        visible_boxes_xyxy=visible,
        world_from_camera=world_from_camera,
    )


def people_from_truth(truth: GroundTruth, first_id: int = 0) -> People:
    """Convert ground truth to people with score 1, visible boxes and no crop.

    A joint's confidence is 1 where it is in view, else 0.

    Args:
        truth: ground truth of a frame.
        first_id: added to the ids.
    """
    n = len(truth)
    return People(
        ids=truth.ids + first_id,
        states=np.full(n, TrackState.CONFIRMED, np.uint8),
        scores=np.ones(n),
        boxes_xyxy=truth.visible_boxes_xyxy,
        rotations=truth.rotations,
        betas=truth.betas,
        translations_m=truth.translations_m,
        covariances_m2=np.zeros((n, 3, 3)),
        sources=np.full(n, TranslationSource.BODY_SIZE, np.uint8),
        weak_cameras=np.zeros((n, 3)),
        joints_m=truth.joints_m,
        keypoints_px=truth.keypoints_px,
        joint_confidences=truth.joints_in_view.astype(np.float64),
    )


def _owners_at(points_px: Floats, shown: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the (h, w) ids at points (..., 2); 0 outside the image."""
    height, width = shown.shape
    above, below = points_px > -0.5, points_px < (width - 0.5, height - 0.5)
    inside = np.asarray((above & below).all(-1))
    x, y = np.moveaxis(np.rint(np.where(inside[..., None], points_px, 0)).astype(int), -1, 0)
    return np.where(inside, shown[y, x], 0)


def _box_of(mask: NDArray[np.bool_]) -> list[int]:
    """Return left, top, right, bottom of the pixels of a non-empty mask."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return [int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])]

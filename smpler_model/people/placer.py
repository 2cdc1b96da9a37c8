"""Places the people in one camera's images, and remembers the floor that earlier images showed.

`placement` and `floor` place people by one image. Which of them apply depends on what is known:
keypoints always, a depth image where there is one, the floor where the camera's pose or people's
feet give it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.cameras.camera import Camera
from smpler_model.frames import Frame, People, TrackState
from smpler_model.inference.estimator import Estimates
from smpler_model.people.confidence import are_inside
from smpler_model.people.floor import FEET, add_contacts, floor_from_pose, place_by_floor
from smpler_model.people.floor_from_feet import FloorEstimate, FloorFromFeet
from smpler_model.people.foot_motion import FootMotion
from smpler_model.people.placement import (
    Placement,
    inflate_truncated_places,
    inflate_truncated_sizes,
    lasting_covariances,
    place,
    place_by_depth,
)
from smpler_model.people.surface import TrunkSurface
from smpler_model.people.tracker import Tracks


@dataclass(frozen=True)
class Unplaced:
    """The people in an image, before they are placed.

    Attributes:
        tracks: their tracks.
        estimates: the network's outputs, turned to the camera's axes.
        keypoints_px: (n, 24, 2) joints in the image.
        camera: camera of the image; not `calibrated` if its field of view is assumed.
    """

    tracks: Tracks
    estimates: Estimates
    keypoints_px: Floats
    camera: Camera

    def select(self, rows: NDArray[np.bool_]) -> "Unplaced":
        """Return the people that an (n) mask selects."""
        return replace(
            self,
            tracks=self.tracks.select(rows),
            estimates=self.estimates[rows],
            keypoints_px=self.keypoints_px[rows],
        )


class Placer:
    """Places the people of one camera.

    Attributes:
        feet: how fast feet move, which shows which people stand.
        floor_from_feet: the floor, from feet over time.
    """

    def __init__(self, load_body: Callable[[], BodyArrays]) -> None:
        """Create a placer that knows no floor yet.

        Args:
            load_body: returns the people's body, whose surface is needed once depth arrives.
        """
        self.feet = FootMotion()
        self.floor_from_feet = FloorFromFeet()
        self._load_body = load_body

    def place(
        self, frame: Frame, seen: Unplaced, *, use_floor: bool, floor_from_feet: bool
    ) -> tuple[Placement, Floats | None]:
        """Return where people are, and the floor (4) in the optical frame if it is known.

        Args:
            frame: the image, with depth and the camera's pose if they are known.
            seen: the people in it.
            use_floor: whether z = 0 of the fixed frame is the floor.
            floor_from_feet: whether people's feet give the floor, where `use_floor` does not.
        """
        camera, estimates, keypoints_px = seen.camera, seen.estimates, seen.keypoints_px
        joints_m = estimates.joints_m
        placement = place(joints_m, keypoints_px, camera)
        if frame.depth_m is not None:
            placed_m = joints_m + placement.translations_m[:, None]
            front_m = self._trunk.front(estimates.rotations, placed_m)
            placement = place_by_depth(placement, joints_m, front_m, frame.depth_m, camera)
        placement = inflate_truncated_sizes(placement, keypoints_px, camera)
        by_floor = partial(
            place_by_floor, placement, estimates.rotations, joints_m, keypoints_px, camera=camera
        )
        floor = None
        if use_floor and frame.pose is not None:
            floor = floor_from_pose(frame.pose.fixed_from_camera)
            placement = by_floor(floor) if camera.calibrated else placement
        elif floor_from_feet and camera.calibrated:
            estimate = self._estimate_floor(frame, seen, placement)
            placement = by_floor(estimate.planes, floor_spreads_m=estimate.spreads_m)
            floor = estimate.plane
        boxes_xyxy = seen.tracks.boxes_xyxy
        return inflate_truncated_places(placement, keypoints_px, boxes_xyxy, camera), floor

    def add_contacts(self, frame: Frame, people: People, floor: Floats) -> People:
        """Return people with `foot_contacts` and `footprints_m` on the floor (4)."""
        return add_contacts(people, self.feet, frame.stamp_ns, floor, _pose_of(frame))

    @cached_property
    def _trunk(self) -> TrunkSurface:
        return TrunkSurface(self._load_body())

    def _estimate_floor(self, frame: Frame, seen: Unplaced, placement: Placement) -> FloorEstimate:
        """Return the floor from feet in earlier images, and add those in this one."""
        tracks, estimates = seen.tracks, seen.estimates
        pose, joints_m = _pose_of(frame), estimates.joints_m + placement.translations_m[:, None]
        estimate = self.floor_from_feet.estimate(tracks.ids, joints_m[:, 0], pose)
        usable = np.isfinite(joints_m).all((1, 2))
        usable &= are_inside(seen.keypoints_px[:, np.ravel(FEET)], seen.camera).all(1)
        usable &= tracks.states != TrackState.COASTING
        noise_m2 = placement.covariances_m2 - lasting_covariances(placement, seen.camera)
        self.floor_from_feet.watch(
            frame.stamp_ns,
            tracks.ids[usable],
            estimates.rotations[usable],
            joints_m[usable],
            noise_m2[usable],
            np.where(placement.from_depth[:, None], joints_m[:, 0], 0.0)[usable],
            pose,
        )
        return estimate


def _pose_of(frame: Frame) -> Floats | None:
    return None if frame.pose is None else frame.pose.fixed_from_camera

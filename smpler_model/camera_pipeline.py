"""One camera's part of the pipeline: its tracks, its filters, its people."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.crops import CROP_MARGIN, Crops
from smpler_model.detectors.detector import Detections, Detector
from smpler_model.frames import (
    Frame,
    FrameResult,
    People,
    TrackState,
    values_or_nan,
)
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.geometry import rotation_to_ray
from smpler_model.people.appearance import find_appearances
from smpler_model.people.camera_turn import turn_boxes
from smpler_model.people.confidence import joint_confidences
from smpler_model.people.placement import Placement, lasting_covariances, sources_of
from smpler_model.people.placer import Placer, Unplaced
from smpler_model.people.reidentification import Identities
from smpler_model.people.smoothing import Bodies, Smoother, SmoothingConfig, are_sound
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig, Tracks
from smpler_model.people.world_filter import (
    MeasuredPelvises,
    WorldFilter,
    pelvises_in_camera,
)
from smpler_model.step_times import measure

_UNUSABLE_BOX = "a box was left out: it is not finite, empty or huge"
_NO_BODY = "a person was left out: the network's outputs are not finite, or not rotations"
_NO_PLACE = (
    "a person was left out, as they cannot be placed: nearly all of their joints would be "
    "outside the lens's field of view"
)


@dataclass(frozen=True)
class PipelineConfig:
    """Parameters of the pipeline.

    Attributes:
        tracker: when tracks are confirmed and dropped.
        smoothing: how people are smoothed; None for no smoothing.
        crop_margin: side of a crop over the longer side of its box.
        assumed_fov_deg: horizontal field of view of a camera without calibration, degrees.
        max_people: maximum number of people per image; the largest boxes are kept.
        coast: whether to report coasting tracks, at their predicted boxes.
        use_floor: whether z = 0 of the fixed frame is the floor; then people are placed by their
            feet, where the camera is calibrated and has a pose.
        floor_from_feet: whether the floor is found from people's feet, where `use_floor` does not
            give it; the camera is calibrated, and has a pose or stands still.
        remember_s: how long people who left are remembered, so that they get their ids back; 0
            turns this off.
    """

    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    smoothing: SmoothingConfig | None = field(default_factory=SmoothingConfig)
    crop_margin: float = CROP_MARGIN
    assumed_fov_deg: float = 60.0
    max_people: int = 16
    coast: bool = False
    use_floor: bool = False
    floor_from_feet: bool = False
    remember_s: float = 0.0

    @property
    def absence_s(self) -> float:
        """Longest time unseen after which a person may keep the same id, seconds."""
        return max(self.tracker.lost_s, self.remember_s)


class Memory(Protocol):
    """State that can be saved, restored and forgotten."""

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays."""

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore what `snapshot` returned."""

    def reset(self) -> None:
        """Forget everything."""


@dataclass(frozen=True)
class Tracked:
    """The tracker's results for one frame.

    Attributes:
        people: the tracks that are shown.
        left_out: a sentence for each box that was left out.
        held: (m) ids of all tracks that the tracker holds.
    """

    people: Tracks
    left_out: tuple[str, ...]
    held: Integers


class CameraPipeline:
    """The steps that concern a single camera, and their state from frame to frame.

    Attributes:
        detector: finds people.
        tracker: gives them ids.
        smoother: smooths people in the camera's frame, where it has no pose.
        world: filters people in the fixed frame, where the camera has a pose.
        placer: finds out where they are, in metres.
        identities: people who left, and their appearance.
        last_stamp_ns: stamp of the newest frame; None before the first.
    """

    def __init__(
        self, detector: Detector, ids: IdSource, estimator: Estimator, config: PipelineConfig
    ) -> None:
        self.detector = detector
        self.tracker = Tracker(ids, config.tracker)
        self.smoother = Smoother(config.smoothing)
        self.world = WorldFilter(config.smoothing)
        self.placer = Placer(lambda: estimator.model.body.arrays())
        self.identities = Identities()
        self.last_stamp_ns: int | None = None
        self._frame_id: str | None = None
        self._size_px, self._steady = (0, 0), 0
        self._last_turn: Floats | None = None  # fixed from camera, in the last image
        self._estimator = estimator
        self._config = config

    @property
    def memories(self) -> dict[str, Memory]:
        """What is remembered beside the tracks and the detector, by name, for checkpoints."""
        return {
            "smoother": self.smoother,
            "world": self.world,
            "feet": self.placer.feet,
            "floor_from_feet": self.placer.floor_from_feet,
            "identities": self.identities,
        }

    def reconfigure(self, config: PipelineConfig) -> None:
        """Change the parameters, except for the tracker's."""
        self._config = config
        for smoother in (self.smoother, self.world.smoother):
            if config.smoothing is None:
                smoother.reset()
            else:
                smoother.config = config.smoothing

    def follow(self, frame: Frame) -> None:
        """Forget everything where a frame does not continue the last one.

        To be called before detection. The frame is of another camera (a switch between topics),
        or older (a rewound bag), or its size is not that of several images before it. Where each
        image has another size, as in a folder of crops, nothing is forgotten.
        """
        height, width = frame.rgb.shape[:2]
        size_px, last_ns = (width, height), self.last_stamp_ns
        is_other = frame.frame_id != self._frame_id
        if frame.stamp_ns == last_ns and not is_other:
            return  # it is followed already
        is_resized = size_px != self._size_px and self._steady > 1
        if last_ns is not None and (frame.stamp_ns < last_ns or is_other or is_resized):
            self._forget()
        self._steady = self._steady + 1 if size_px == self._size_px else 1
        self._size_px = size_px
        self._frame_id, self.last_stamp_ns = frame.frame_id, frame.stamp_ns

    def _forget(self) -> None:
        self.detector.reset()
        self.tracker.reset()
        for memory in self.memories.values():
            memory.reset()
        self._last_turn = None

    def track(self, frame: Frame, detections: Detections) -> Tracked:
        """Update the tracker with the detections of the next frame; calls `follow`.

        Where a calibrated camera's pose is known in this frame and the last, its turn moves no
        track. If the tracker fails, it is reset for the next frame.
        """
        self.follow(frame)
        height, width = frame.rgb.shape[:2]
        usable = detections.are_usable(width, height)
        try:
            self._follow_turn(frame)
            tracks = self.tracker.update(frame.stamp_ns, detections.select(usable))
        except Exception:
            self.tracker.reset()
            raise
        held = tracks.ids
        if not self._config.coast:
            tracks = tracks.select(tracks.states != TrackState.COASTING)
        left_out = (_UNUSABLE_BOX,) * int((~usable).sum())
        return Tracked(_keep_largest(tracks, self._config.max_people), left_out, held)

    def _follow_turn(self, frame: Frame) -> None:
        before, camera = self._last_turn, frame.camera
        turn = None if frame.pose is None else frame.pose.fixed_from_camera[:3, :3]
        self._last_turn = turn
        if before is not None and turn is not None and camera is not None:
            self.tracker.move(lambda boxes: turn_boxes(boxes, camera, turn.T @ before))

    def find(
        self,
        frame: Frame,
        tracked: Tracked,
        crops: Crops[PixelArray],
        estimates: Estimates,
        timings: dict[str, float],
    ) -> FrameResult:
        """Return the people of a frame, without those who cannot be placed.

        Args:
            frame: the frame.
            tracked: its tracks.
            crops: the crop of each track.
            estimates: the network's outputs for each crop.
            timings: milliseconds by step, to which this adds.
        """
        with measure(timings, "place"):
            seen = self._see(frame, tracked.people, crops, estimates)
            placement, floor = self.placer.place(
                frame,
                seen,
                use_floor=self._config.use_floor,
                floor_from_feet=self._config.floor_from_feet,
            )
        sound = are_sound(_bodies(seen.estimates, placement.translations_m))
        reasons = _reasons(seen.estimates, sound)
        seen, placement = seen.select(sound), placement[sound]
        with measure(timings, "smooth"):
            bodies = self._smooth(frame, seen, placement)
        with measure(timings, "pose"):
            people = self._pose(frame, seen, placement, bodies)
            if floor is not None:
                people = self.placer.add_contacts(frame, people, floor)
        if self._config.remember_s:
            with measure(timings, "identify"):
                people = self._identify(frame, people, tracked.held)
        left_out = (*tracked.left_out, *reasons)
        return FrameResult(
            *(frame.stamp_ns, frame.frame_id, seen.camera, people, timings, left_out),
            pose=frame.pose,
            floor=floor,
        )

    def _see(
        self, frame: Frame, tracks: Tracks, crops: Crops[PixelArray], estimates: Estimates
    ) -> Unplaced:
        height, width = frame.rgb.shape[:2]
        fov_deg = self._config.assumed_fov_deg
        camera = frame.camera or camera_from_field_of_view(width, height, fov_deg)
        turned = estimates.turned(turns_to_camera(camera, crops))
        return Unplaced(tracks, turned, crops.image_from_crop(turned.keypoints), camera)

    def _smooth(self, frame: Frame, seen: Unplaced, placement: Placement) -> Bodies:
        bodies = _bodies(seen.estimates, placement.translations_m)
        if self._config.smoothing is None:
            return bodies
        if frame.pose is None:
            return self.smoother.smooth(frame.stamp_ns, seen.tracks.ids, bodies)
        return self.world.smooth(frame.stamp_ns, seen.tracks.ids, bodies, frame.pose)

    def _pose(self, frame: Frame, seen: Unplaced, placement: Placement, bodies: Bodies) -> People:
        tracks, estimates, camera = seen.tracks, seen.estimates, seen.camera
        joints = self._estimator.joints(bodies.rotations, bodies.betas)
        translations_m, motion = bodies.translations_m, None
        if frame.pose is not None:
            measured, facings = _measure_pelvises(seen, placement), bodies.rotations[:, 0]
            motion = self.world.follow(frame.stamp_ns, tracks.ids, measured, facings, frame.pose)
            if self._config.smoothing is not None:
                translations_m = pelvises_in_camera(motion, frame.pose) - joints[:, 0]
        joints_m = joints + translations_m[:, None]
        keypoints_px = camera.project(joints_m)
        changes = estimates.changes_m / self._estimator.usual_change_m
        return People(
            ids=tracks.ids,
            states=tracks.states,
            scores=tracks.scores,
            boxes_xyxy=tracks.boxes_xyxy,
            rotations=bodies.rotations,
            betas=bodies.betas,
            translations_m=translations_m,
            covariances_m2=placement.covariances_m2,
            sources=sources_of(placement, camera),
            weak_cameras=estimates.cameras,
            joints_m=joints_m,
            keypoints_px=keypoints_px,
            joint_confidences=joint_confidences(joints_m, keypoints_px, changes, camera),
            motion=motion,
        )

    def _identify(self, frame: Frame, people: People, held: Integers) -> People:
        """Return people with earlier ids if they had left; filters go by tracks alone."""
        sure = values_or_nan(people.joint_confidences, *people.joints_m.shape[:2])
        sure = np.where((people.states == TrackState.COASTING)[:, None], 0.0, sure)
        appearances = find_appearances(frame.rgb, people.keypoints_px, sure, people.betas)
        ids = self.identities.name(
            frame.stamp_ns, people.ids, appearances, held, self._config.remember_s
        )
        return replace(people, ids=ids)


def turns_to_camera(camera: Camera, crops: Crops[PixelArray]) -> Floats:
    """Return the rotations (n, 3, 3) from virtual cameras that look at the crops to the camera.

    A crop does not show where it lies in the image: a person at the edge of a wide image who faces
    the camera is rotated against its axis.
    """
    rays = torch.from_numpy(camera.unproject_inwards(crops.centres_px))
    return np.asarray(rotation_to_ray(rays).numpy())


def _keep_largest(tracks: Tracks, count: int) -> Tracks:
    """Return at most `count` tracks, those with the largest boxes, in their original order."""
    if len(tracks) <= count:
        return tracks
    areas = (tracks.boxes_xyxy[:, 2:] - tracks.boxes_xyxy[:, :2]).prod(1)
    rows = np.zeros(len(tracks), np.bool_)
    rows[np.argsort(-areas, kind="stable")[:count]] = True
    return tracks.select(rows)


def _bodies(estimates: Estimates, translations_m: Floats) -> Bodies:
    return Bodies(estimates.rotations, estimates.betas, translations_m)


def _reasons(estimates: Estimates, sound: NDArray[np.bool_]) -> list[str]:
    """Return a sentence for each person who is left out: with no sound body, or no position."""
    are_bodies = are_sound(_bodies(estimates, np.ones((len(estimates), 3))))
    are_bodies &= np.isfinite(estimates.keypoints).all((1, 2))
    reasons: list[str] = np.where(are_bodies, _NO_PLACE, _NO_BODY)[~sound].tolist()
    return reasons


def _measure_pelvises(seen: Unplaced, placement: Placement) -> MeasuredPelvises:
    lasting = lasting_covariances(placement, seen.camera)
    return MeasuredPelvises(
        positions_m=placement.translations_m + seen.estimates.joints_m[:, 0],
        noise_m2=placement.covariances_m2 - lasting,
        lasting_m2=lasting,
        are_seen=seen.tracks.states != TrackState.COASTING,
    )

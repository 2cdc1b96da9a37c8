"""Finds the people in a frame: detect, track, crop, estimate, place, smooth.

The live node, the bag evaluator and the command line all call `Pipeline`, so that their results
for a frame are equal.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.crops import CROP_MARGIN, Crops
from smpler_model.detectors.detector import BatchDetector, Detections, Detector
from smpler_model.frames import Frame, FrameResult, People, TranslationSource
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.geometry import rotation_to_ray
from smpler_model.people.camera_turn import turn_boxes
from smpler_model.people.confidence import joint_confidences
from smpler_model.people.floor import floor_from_pose, place_by_floor, stand
from smpler_model.people.foot_motion import FootMotion
from smpler_model.people.placement import (
    TORSO,
    Placement,
    doubt_cut_bodies,
    lasting_covariances,
    place,
    place_by_depth,
)
from smpler_model.people.smoothing import Bodies, Smoother, SmoothingConfig, are_sound
from smpler_model.people.surface import BodySurface
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig, Tracks, TrackState
from smpler_model.people.world_filter import (
    MeasuredPelvises,
    WorldFilter,
    pelvises_in_camera,
)
from smpler_model.shared_image import SharedImage, detect_together, join_pixels
from smpler_model.step_times import measure

logger = logging.getLogger(__name__)

_Done = TypeVar("_Done")

_ONE_BY_ONE = "processing the cameras one by one, as their common batch failed: %s"
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
    """

    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    smoothing: SmoothingConfig | None = field(default_factory=SmoothingConfig)
    crop_margin: float = CROP_MARGIN
    assumed_fov_deg: float = 60.0
    max_people: int = 16
    coast: bool = False
    use_floor: bool = False


class CameraState:
    """The state of one camera between frames."""

    def __init__(self, detector: Detector, ids: IdSource, config: PipelineConfig) -> None:
        self.detector = detector
        self.tracker = Tracker(ids, config.tracker)
        self.smoother = Smoother(config.smoothing)
        self.world = WorldFilter(config.smoothing)
        self.feet = FootMotion()
        self.last_stamp_ns: int | None = None
        self._last_turn: Floats | None = None  # fixed from camera, in the last image

    def follow_clock(self, stamp_ns: int) -> None:
        """Reset the state when time runs backwards: the bag was rewound."""
        if self.last_stamp_ns is not None and stamp_ns < self.last_stamp_ns:
            self.detector.reset()
            self.tracker.reset()
            self.smoother.reset()
            self.world.reset()
            self.feet.reset()
        self.last_stamp_ns = stamp_ns

    def track(self, frame: Frame, detections: Detections) -> tuple[Tracks, int]:
        """Update the tracker with the detections of the next frame.

        Where a calibrated camera's pose is known in this frame and the last, its turn moves no
        track.

        Returns:
            The tracks, and the number of invalid boxes that were left out. If the tracker fails,
            it is reset for the next frame.
        """
        height, width = frame.rgb.shape[:2]
        usable = detections.are_usable(width, height)
        try:
            self._follow_turn(frame)
            tracks = self.tracker.update(frame.stamp_ns, detections.select(usable))
        except Exception:
            self.tracker.reset()
            raise
        return tracks, int((~usable).sum())

    def _follow_turn(self, frame: Frame) -> None:
        before, camera = self._last_turn, frame.camera
        turn = None if frame.pose is None else frame.pose.fixed_from_camera[:3, :3]
        self._last_turn = turn
        if before is not None and turn is not None and camera is not None:
            self.tracker.move(lambda boxes: turn_boxes(boxes, camera, turn.T @ before))


class _Isolate(Protocol):
    """Runs a step for each of several cameras; failures are reported and left out."""

    def __call__(
        self, names: Iterable[str], step: Callable[[str], _Done], /
    ) -> dict[str, _Done]: ...


@dataclass(frozen=True)
class _Tracked:
    """Tracks in one frame, and a sentence for each box that was left out."""

    people: Tracks
    left_out: tuple[str, ...]


class Pipeline:
    """Finds people in frames. Cameras share only the network and the source of ids.

    Attributes:
        estimator: the network.
    """

    def __init__(
        self,
        estimator: Estimator,
        create_detector: Callable[[], Detector],
        config: PipelineConfig | None = None,
        *,
        uploads: bool | None = None,
    ) -> None:
        """Create a pipeline without cameras; they are added with their first frames.

        Args:
            estimator: the network.
            create_detector: called once for each camera.
            config: parameters.
            uploads: whether each image is uploaded to the network's device once, for the detector
                and for the crops; if None, where that is a GPU.
        """
        self.estimator = estimator
        self._uploads = estimator.device.type == "cuda" if uploads is None else uploads
        self._create_detector = create_detector
        self._config = config or PipelineConfig()
        self._ids = IdSource()
        self._cameras: dict[str, CameraState] = {}

    @property
    def config(self) -> PipelineConfig:
        """The current parameters."""
        return self._config

    def reconfigure(self, config: PipelineConfig) -> None:
        """Change the parameters; the tracker's are kept for cameras that exist already."""
        self._config = config
        for state in self._cameras.values():
            for smoother in (state.smoother, state.world.smoother):
                if config.smoothing is None:
                    smoother.reset()
                else:
                    smoother.config = config.smoothing

    def camera_state(self, name: str) -> CameraState:
        """Return the state of a camera, created on the first call."""
        if name not in self._cameras:
            self._cameras[name] = CameraState(self._create_detector(), self._ids, self._config)
        return self._cameras[name]

    def process(self, frame: Frame, *, camera: str = "", mesh: bool = False) -> FrameResult:
        """Find the people in one frame; see `process_batch`."""
        return self.process_batch({camera: frame}, mesh=mesh)[camera]

    def process_batch(
        self,
        frames: Mapping[str, Frame],
        *,
        mesh: bool | Collection[str] = False,
        report: Callable[[str, Exception], None] | None = None,
    ) -> dict[str, FrameResult]:
        """Find the people in one frame of each of several cameras, in one batch of the network.

        Args:
            frames: frames by camera name.
            mesh: whether to compute vertices, or the cameras to compute them for.
            report: called with the camera's name and the exception of any step of its frame; that
                frame then has no result, the others do. If None, the exception is raised.

        Returns:
            Results by camera. People with values that are not finite, or who cannot be placed, are
            in `left_out` of their frame's result; other people are not affected.
        """
        meshed = (frames if mesh else ()) if isinstance(mesh, bool) else mesh
        timings: dict[str, float] = {}
        isolated = partial(_isolated, report)
        device = self.estimator.device if self._uploads else None
        images = {name: SharedImage(frame, device) for name, frame in frames.items()}
        found = self._detect(images, isolated, timings)
        tracks = isolated(
            found, lambda name: self._track(name, frames[name], found[name], timings)
        )
        crops = isolated(
            tracks, lambda name: self._crop(images[name], tracks[name].people, timings)
        )
        estimates = self._estimate(crops, isolated, timings)

        def finish(name: str) -> FrameResult:
            frame = frames[name]
            result = self._find(name, frame, tracks[name], crops[name], estimates[name], timings)
            if name not in meshed:
                return result
            with measure(timings, "mesh"):
                return replace(result, people=self._add_mesh(result.people))

        return isolated(estimates, finish)

    def _detect(
        self, images: Mapping[str, SharedImage], isolated: "_Isolate", timings: dict[str, float]
    ) -> dict[str, Detections]:
        """Find people; where cameras share a detector that takes several images, in one call.

        Where that fails, it is called for each, so that one costs no other.
        """

        def prepare(name: str) -> Detector:
            state = self.camera_state(name)
            state.follow_clock(images[name].frame.stamp_ns)
            return state.detector

        def alone(name: str) -> Detections:
            return images[name].detect(detectors[name])

        detectors = isolated(images, prepare)
        with measure(timings, "detect"):
            shared = next(iter(detectors.values()), None)
            is_common = all(detector is shared for detector in detectors.values())
            if len(detectors) < 2 or not is_common or not isinstance(shared, BatchDetector):
                return isolated(detectors, alone)
            try:
                found = detect_together(shared, [images[name] for name in detectors])
            except Exception as error:
                each = isolated(detectors, alone)
                if len(each) == len(detectors):
                    logger.warning(_ONE_BY_ONE, error)
                return each
            return dict(zip(detectors, found, strict=True))

    def _track(
        self, name: str, frame: Frame, detections: Detections, timings: dict[str, float]
    ) -> "_Tracked":
        state = self.camera_state(name)
        with measure(timings, "track"):
            tracks, unusable = state.track(frame, detections)
        if not self._config.coast:
            tracks = tracks.select(tracks.states != TrackState.COASTING)
        left_out = (_UNUSABLE_BOX,) * unusable
        return _Tracked(keep_largest(tracks, self._config.max_people), left_out)

    def _crop(
        self, image: SharedImage, tracks: Tracks, timings: dict[str, float]
    ) -> Crops[PixelArray]:
        with measure(timings, "crop"):
            side, margin = self.estimator.side, self._config.crop_margin
            return image.cut(tracks.boxes_xyxy, side, margin)

    def _find(
        self,
        name: str,
        frame: Frame,
        tracked: "_Tracked",
        crops: Crops[PixelArray],
        estimates: Estimates,
        timings: dict[str, float],
    ) -> FrameResult:
        """Return the people of one camera, without those who cannot be placed."""
        camera, floor = self._camera_of(frame), self._floor_of(frame)
        with measure(timings, "place"):
            seen = estimates.turned(turns_to_camera(camera, crops))
            placement = self._place(frame, camera, crops, seen, floor)
        sound = are_sound(Bodies(seen.rotations, seen.betas, placement.translations_m))
        somewhere = Bodies(seen.rotations, seen.betas, np.ones((len(seen), 3)))
        said = are_sound(somewhere) & np.isfinite(seen.keypoints).all((1, 2))
        reasons = np.where(said, _NO_PLACE, _NO_BODY)[~sound].tolist()
        tracks, seen, placement = tracked.people.select(sound), seen[sound], placement[sound]
        with measure(timings, "smooth"):
            bodies = self._smooth(name, frame, tracks, seen, placement)
        with measure(timings, "pose"):
            people = self._pose(name, frame, camera, tracks, seen, placement, bodies)
            if floor is not None and frame.pose is not None:
                feet = self.camera_state(name).feet
                people = stand(people, feet, frame.stamp_ns, floor, frame.pose)
        left_out = (*tracked.left_out, *reasons)
        return FrameResult(
            *(frame.stamp_ns, frame.frame_id, camera, people, timings, left_out),
            pose=frame.pose,
            floor=floor,
        )

    @cached_property
    def _surface(self) -> BodySurface:
        """The body's surface, which is needed once depth arrives."""
        return BodySurface(self.estimator.model.body.arrays())

    def _camera_of(self, frame: Frame) -> Camera:
        height, width = frame.rgb.shape[:2]
        return frame.camera or camera_from_field_of_view(
            width, height, self._config.assumed_fov_deg
        )

    def _floor_of(self, frame: Frame) -> Floats | None:
        """Return the plane of the floor (4) in the optical frame; None if it is not known."""
        if not self._config.use_floor or frame.pose is None:
            return None
        return floor_from_pose(frame.pose.fixed_from_camera)

    def _estimate(
        self,
        crops: Mapping[str, Crops[PixelArray]],
        isolated: "_Isolate",
        timings: dict[str, float],
    ) -> dict[str, Estimates]:
        """Run the network once for all cameras and split its outputs.

        If the batch of several cameras fails, the network is run for each camera separately, so
        that one does not affect the others.
        """

        def alone(name: str) -> Estimates:
            return self.estimator.estimate(crops[name].pixels)

        with measure(timings, "estimate"):
            if len(crops) < 2:
                return isolated(crops, alone)
            try:
                everyone = join_pixels([cut.pixels for cut in crops.values()])
                estimates = self.estimator.estimate(everyone)
            except Exception as error:
                each = isolated(crops, alone)
                if len(each) == len(crops):
                    logger.warning(_ONE_BY_ONE, error)
                return each
            ends = np.cumsum([len(cut) for cut in crops.values()]).tolist()
            return {
                name: estimates[end - len(cut) : end]
                for (name, cut), end in zip(crops.items(), ends, strict=True)
            }

    def _place(
        self,
        frame: Frame,
        camera: Camera,
        crops: Crops[PixelArray],
        estimates: Estimates,
        floor: Floats | None,
    ) -> Placement:
        keypoints_px, joints_m = crops.image_from_crop(estimates.keypoints), estimates.joints_m
        placement = place(joints_m, keypoints_px, camera)
        placement = doubt_cut_bodies(placement, keypoints_px, camera)
        if frame.depth_m is not None:
            placed_m = joints_m + placement.translations_m[:, None]
            before_m = self._surface.before(estimates.rotations, placed_m, TORSO)
            placement = place_by_depth(placement, joints_m, frame.depth_m, camera, before_m)
        if floor is not None and camera.calibrated:
            placement = place_by_floor(
                placement, estimates.rotations, joints_m, keypoints_px, floor, camera
            )
        return placement

    def _smooth(
        self, name: str, frame: Frame, tracks: Tracks, estimates: Estimates, placement: Placement
    ) -> Bodies:
        bodies = Bodies(estimates.rotations, estimates.betas, placement.translations_m)
        if self._config.smoothing is None:
            return bodies
        state = self.camera_state(name)
        if frame.pose is None:
            return state.smoother.smooth(frame.stamp_ns, tracks.ids, bodies)
        return state.world.smooth(frame.stamp_ns, tracks.ids, bodies, frame.pose)

    def _pose(
        self,
        name: str,
        frame: Frame,
        camera: Camera,
        tracks: Tracks,
        estimates: Estimates,
        placement: Placement,
        bodies: Bodies,
    ) -> People:
        joints = self.estimator.joints(bodies.rotations, bodies.betas)
        sources, translations_m, motion = _sources(placement, camera), bodies.translations_m, None
        if frame.pose is not None:
            measured = _measure_pelvises(camera, tracks, estimates, placement, sources)
            motion = self.camera_state(name).world.follow(
                frame.stamp_ns, tracks.ids, measured, bodies.rotations[:, 0], frame.pose
            )
            if self._config.smoothing is not None:
                translations_m = pelvises_in_camera(motion, frame.pose) - joints[:, 0]
        joints_m = joints + translations_m[:, None]
        keypoints_px = camera.project(joints_m)
        changes = estimates.changes_m / self.estimator.usual_change_m
        return People(
            ids=tracks.ids,
            states=tracks.states,
            scores=tracks.scores,
            boxes_xyxy=tracks.boxes_xyxy,
            rotations=bodies.rotations,
            betas=bodies.betas,
            translations_m=translations_m,
            covariances_m2=placement.covariances_m2,
            sources=sources,
            weak_cameras=estimates.cameras,
            joints_m=joints_m,
            keypoints_px=keypoints_px,
            joint_confidences=joint_confidences(joints_m, keypoints_px, changes, camera),
            motion=motion,
        )

    def _add_mesh(self, people: People) -> People:
        vertices = self.estimator.vertices(people.rotations, people.betas)
        vertices_m = vertices + people.translations_m[:, None].astype(np.float32)
        return replace(people, vertices_m=vertices_m)


def turns_to_camera(camera: Camera, crops: Crops[PixelArray]) -> NDArray[np.float64]:
    """Return the rotations (n, 3, 3) from virtual cameras that look at the crops to the camera.

    A crop does not show where it lies in the image: a person at the edge of a wide image who faces
    the camera is rotated against its axis.
    """
    rays = torch.from_numpy(camera.unproject_inwards(crops.centres_px))
    return np.asarray(rotation_to_ray(rays).numpy())


def keep_largest(tracks: Tracks, count: int) -> Tracks:
    """Return at most `count` tracks, those with the largest boxes, in their original order."""
    if len(tracks) <= count:
        return tracks
    areas = (tracks.boxes_xyxy[:, 2:] - tracks.boxes_xyxy[:, :2]).prod(1)
    rows = np.zeros(len(tracks), np.bool_)
    rows[np.argsort(-areas, kind="stable")[:count]] = True
    return tracks.select(rows)


def _sources(placement: Placement, camera: Camera) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    size = TranslationSource.BODY_SIZE if camera.calibrated else TranslationSource.FIELD_OF_VIEW
    known = np.where(placement.from_floor, TranslationSource.FLOOR, size)
    return np.where(placement.from_depth, TranslationSource.DEPTH, known).astype(np.uint8)


def _measure_pelvises(
    camera: Camera,
    tracks: Tracks,
    estimates: Estimates,
    placement: Placement,
    sources: NDArray[np.uint8],
) -> MeasuredPelvises:
    lasting = lasting_covariances(placement.translations_m, sources, camera)
    return MeasuredPelvises(
        positions_m=placement.translations_m + estimates.joints_m[:, 0],
        noise_m2=placement.covariances_m2 - lasting,
        lasting_m2=lasting,
        are_seen=tracks.states != TrackState.COASTING,
    )


def _isolated(
    report: Callable[[str, Exception], None] | None,
    names: Iterable[str],
    step: Callable[[str], _Done],
) -> dict[str, _Done]:
    done = {}
    for name in names:
        try:
            done[name] = step(name)
        except Exception as error:
            if report is None:
                raise
            report(name, error)
    return done

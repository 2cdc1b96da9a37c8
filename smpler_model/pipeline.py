"""From a frame to the people in it: detect, track, crop, estimate, place, smooth.

The live node, the bag evaluator and the command line all call `Pipeline`, so that what they say of
a frame is equal.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from smpler_model.camera import Camera, camera_from_field_of_view
from smpler_model.detectors.detector import Detector
from smpler_model.estimator import Estimates, Estimator
from smpler_model.frames import Frame, FrameResult, People, TranslationSource
from smpler_model.image import CROP_MARGIN, Crops, cut_crops
from smpler_model.placement import Placement, place, place_by_depth
from smpler_model.smoothing import Bodies, Smoother, SmoothingConfig
from smpler_model.tracker import IdSource, Tracker, TrackerConfig, Tracks, TrackState


@dataclass(frozen=True)
class PipelineConfig:
    """What the pipeline does.

    Attributes:
        tracker: when a box becomes a person.
        smoothing: how people are smoothed; None for not at all.
        crop_margin: side of a crop over the longer side of its box.
        assumed_fov_deg: horizontal field of view of a camera without calibration, degrees.
        coast: also report people who are not seen at the moment, at their predicted boxes.
    """

    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    smoothing: SmoothingConfig | None = field(default_factory=SmoothingConfig)
    crop_margin: float = CROP_MARGIN
    assumed_fov_deg: float = 60.0
    coast: bool = False


class CameraState:
    """All that is remembered of one camera from frame to frame."""

    def __init__(self, detector: Detector, ids: IdSource, config: PipelineConfig) -> None:
        self.detector = detector
        self.tracker = Tracker(ids, config.tracker)
        self.smoother = None if config.smoothing is None else Smoother(config.smoothing)
        self.last_stamp_ns: int | None = None

    def follow_clock(self, stamp_ns: int) -> None:
        """Forget everything when time runs backwards: the bag was rewound."""
        if self.last_stamp_ns is not None and stamp_ns < self.last_stamp_ns:
            self.detector.reset()
            self.tracker.reset()
            if self.smoother is not None:
                self.smoother.reset()
        self.last_stamp_ns = stamp_ns


class Pipeline:
    """Finds people in frames. Cameras share the network and the ids, and nothing else."""

    def __init__(
        self,
        estimator: Estimator,
        create_detector: Callable[[], Detector],
        config: PipelineConfig | None = None,
    ) -> None:
        """Prepare.

        Args:
            estimator: the network.
            create_detector: called once for each camera.
            config: what to do.
        """
        self._estimator = estimator
        self._create_detector = create_detector
        self._config = config or PipelineConfig()
        self._ids = IdSource()
        self._cameras: dict[str, CameraState] = {}

    def camera_state(self, name: str) -> CameraState:
        """Return what is remembered of a camera, which begins at its first call."""
        if name not in self._cameras:
            self._cameras[name] = CameraState(self._create_detector(), self._ids, self._config)
        return self._cameras[name]

    def process(self, frame: Frame, *, camera: str = "", mesh: bool = False) -> FrameResult:
        """Find the people in one frame; see `process_batch`."""
        return self.process_batch({camera: frame}, mesh=mesh)[camera]

    def process_batch(
        self, frames: Mapping[str, Frame], *, mesh: bool = False
    ) -> dict[str, FrameResult]:
        """Find the people in one frame of each of several cameras, in one batch of the network.

        Args:
            frames: by the camera's name.
            mesh: whether to compute vertices.
        """
        timings: dict[str, float] = {}
        with _timed(timings, "track"):
            tracks = {name: self._track(name, frame) for name, frame in frames.items()}
        with _timed(timings, "crop"):
            crops = {
                name: cut_crops(
                    frame.rgb,
                    tracks[name].boxes_xyxy,
                    self._estimator.side,
                    margin=self._config.crop_margin,
                )
                for name, frame in frames.items()
            }
        with _timed(timings, "estimate"):
            estimates = self._estimate(crops)
        results = {}
        with _timed(timings, "place"):
            for name, frame in frames.items():
                camera = self._camera_of(frame)
                people = self._people(
                    name, frame, camera, tracks[name], crops[name], estimates[name], mesh
                )
                results[name] = FrameResult(
                    frame.stamp_ns, frame.frame_id, camera, people, timings
                )
        return results

    def _track(self, name: str, frame: Frame) -> Tracks:
        state = self.camera_state(name)
        state.follow_clock(frame.stamp_ns)
        tracks = state.tracker.update(frame.stamp_ns, state.detector.detect(frame.rgb))
        return (
            tracks if self._config.coast else tracks.select(tracks.states != TrackState.COASTING)
        )

    def _camera_of(self, frame: Frame) -> Camera:
        height, width = frame.rgb.shape[:2]
        return frame.camera or camera_from_field_of_view(
            width, height, self._config.assumed_fov_deg
        )

    def _estimate(self, crops: Mapping[str, Crops]) -> dict[str, Estimates]:
        """Run the network once for all cameras and hand each its rows."""
        everyone = np.concatenate([cut.pixels for cut in crops.values()])
        estimates = self._estimator.estimate(everyone)
        ends = np.cumsum([len(cut) for cut in crops.values()]).tolist()
        return {
            name: estimates[end - len(cut) : end]
            for (name, cut), end in zip(crops.items(), ends, strict=True)
        }

    def _people(
        self,
        name: str,
        frame: Frame,
        camera: Camera,
        tracks: Tracks,
        crops: Crops,
        estimates: Estimates,
        mesh: bool,
    ) -> People:
        keypoints_px = crops.image_from_crop(estimates.keypoints)
        placement = place(estimates.joints_m, keypoints_px, camera)
        if frame.depth_m is not None:
            placement = place_by_depth(placement, estimates.joints_m, frame.depth_m, camera)
        bodies = Bodies(estimates.rotations, estimates.betas, placement.translations_m)
        smoother = self.camera_state(name).smoother
        if smoother is not None:
            bodies = smoother.smooth(frame.stamp_ns, tracks.ids, bodies)
        joints = self._estimator.joints(bodies.rotations, bodies.betas)
        joints_m = joints + bodies.translations_m[:, None]
        vertices_m = None
        if mesh:
            vertices = self._estimator.vertices(bodies.rotations, bodies.betas)
            vertices_m = vertices + bodies.translations_m[:, None].astype(np.float32)
        return People(
            ids=tracks.ids,
            states=tracks.states,
            scores=tracks.scores,
            boxes_xyxy=tracks.boxes_xyxy,
            rotations=bodies.rotations,
            betas=bodies.betas,
            translations_m=bodies.translations_m,
            covariances_m2=placement.covariances_m2,
            sources=_sources(placement, camera),
            weak_cameras=estimates.cameras,
            joints_m=joints_m,
            keypoints_px=camera.project(joints_m),
            vertices_m=vertices_m,
        )


def _sources(placement: Placement, camera: Camera) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    size = TranslationSource.BODY_SIZE if camera.calibrated else TranslationSource.FIELD_OF_VIEW
    return np.where(placement.from_depth, TranslationSource.DEPTH, size).astype(np.uint8)


@contextmanager
def _timed(timings_ms: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings_ms[step] = 1e3 * (time.perf_counter() - start)

"""Finds the people in a frame: detect, track, crop, estimate, place, smooth.

The live node, the bag evaluator and the command line all call `Pipeline`, so that their results
for a frame are equal.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from smpler_model.camera_pipeline import CameraPipeline, PipelineConfig, Tracked
from smpler_model.cameras.crops import Crops
from smpler_model.detectors.detector import BatchDetector, Detections, Detector
from smpler_model.frames import Frame, FrameResult, People
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.people.tracker import IdSource
from smpler_model.shared_image import SharedImage, detect_together, join_pixels
from smpler_model.step_times import measure

logger = logging.getLogger(__name__)

_Done = TypeVar("_Done")
_Timings: TypeAlias = Mapping[str, dict[str, float]]  # milliseconds by camera and step
_TOGETHER = ("detect", "estimate")  # steps that cameras share

_ONE_BY_ONE = "processing the cameras one by one, as their common batch failed: %s"


class _Isolate(Protocol):
    """Runs a step for each of several cameras; failures are reported and left out."""

    def __call__(
        self, names: Iterable[str], step: Callable[[str], _Done], /
    ) -> dict[str, _Done]: ...


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
        ids: IdSource | None = None,
    ) -> None:
        """Create a pipeline without cameras; they are added with their first frames.

        Args:
            estimator: the network.
            create_detector: called once for each camera.
            config: parameters.
            uploads: whether each image is uploaded to the network's device once, for the detector
                and for the crops; if None, where that is a GPU.
            ids: where the tracks' ids come from; they start at 0 if None.
        """
        self.estimator = estimator
        self._uploads = estimator.device.type == "cuda" if uploads is None else uploads
        self._create_detector = create_detector
        self._config = config or PipelineConfig()
        self._ids = ids or IdSource()
        self._cameras: dict[str, CameraPipeline] = {}

    @property
    def config(self) -> PipelineConfig:
        """The current parameters."""
        return self._config

    def reconfigure(self, config: PipelineConfig) -> None:
        """Change the parameters; the tracker's are kept for cameras that exist already."""
        self._config = config
        for camera in self._cameras.values():
            camera.reconfigure(config)

    def camera(self, name: str) -> CameraPipeline:
        """Return the steps and the state of a camera, created on the first call."""
        if name not in self._cameras:
            self._cameras[name] = CameraPipeline(
                self._create_detector(), self._ids, self.estimator, self._config
            )
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
        timings: dict[str, dict[str, float]] = {name: {} for name in frames}
        isolated = partial(_isolated, report)
        device = self.estimator.device if self._uploads else None
        images = {name: SharedImage(frame, device) for name, frame in frames.items()}
        found = self._detect(images, isolated, timings)

        def track(name: str) -> Tracked:
            with measure(timings[name], "track"):
                return self.camera(name).track(frames[name], found[name])

        def crop(name: str) -> Crops[PixelArray]:
            with measure(timings[name], "crop"):
                side, margin = self.estimator.side, self._config.crop_margin
                return images[name].cut(tracks[name].people.boxes_xyxy, side, margin)

        tracks = isolated(found, track)
        crops = isolated(tracks, crop)
        estimates = self._estimate(crops, isolated, timings)

        def finish(name: str) -> FrameResult:
            camera, seen = self.camera(name), estimates[name]
            result = camera.find(frames[name], tracks[name], crops[name], seen, timings[name])
            if name not in meshed:
                return result
            with measure(timings[name], "mesh"):
                return replace(result, people=self.add_mesh(result.people))

        return isolated(estimates, finish)

    def _detect(
        self, images: Mapping[str, SharedImage], isolated: _Isolate, timings: _Timings
    ) -> dict[str, Detections]:
        """Find people; where cameras share a detector that takes several images, in one call.

        Where that fails, it is called for each, so that one costs no other.
        """

        def prepare(name: str) -> Detector:
            camera = self.camera(name)
            camera.follow(images[name].frame)
            return camera.detector

        def alone(name: str) -> Detections:
            return images[name].detect(detectors[name])

        detectors = isolated(images, prepare)
        with _measure_together(timings, "detect"):
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

    def _estimate(
        self,
        crops: Mapping[str, Crops[PixelArray]],
        isolated: _Isolate,
        timings: _Timings,
    ) -> dict[str, Estimates]:
        """Run the network once for all cameras and split its outputs.

        If the batch of several cameras fails, the network is run for each camera separately, so
        that one does not affect the others.
        """

        def alone(name: str) -> Estimates:
            return self.estimator.estimate(crops[name].pixels)

        with _measure_together(timings, "estimate"):
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

    def add_mesh(self, people: People) -> People:
        """Return people with their vertices."""
        vertices = self.estimator.vertices(people.rotations, people.betas)
        vertices_m = vertices + people.translations_m[:, None].astype(np.float32)
        return replace(people, vertices_m=vertices_m)


def sum_timings(results: Iterable[FrameResult]) -> dict[str, float]:
    """Return the duration of each step of a batch, milliseconds."""
    total: dict[str, float] = {}
    for result in results:
        for step, duration_ms in result.timings_ms.items():
            before_ms = 0.0 if step in _TOGETHER else total.get(step, 0.0)
            total[step] = before_ms + duration_ms
    return total


@contextmanager
def _measure_together(timings: _Timings, step: str) -> Iterator[None]:
    """Measure one of the steps that cameras share; each gets the whole duration."""
    whole: dict[str, float] = {}
    try:
        with measure(whole, step):
            yield
    finally:
        for timings_ms in timings.values():
            timings_ms.update(whole)


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

"""Pipelines for several bags: the network is loaded once, the state is separate per bag."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.assembly import build_pipeline, choose_device, detector_factory
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.shipped import find_checkpoint
from smpler_model.detectors.detector import Detections, Detector, DeviceDetector
from smpler_model.detectors.motion import MotionDetector
from smpler_model.frames import People
from smpler_model.hashes import hash_files, hash_parts
from smpler_model.pipeline import Pipeline
from smpler_ros.bags.settings import EvaluationSettings


class RecordingDetector:
    """Wraps a detector and remembers its last detections.

    Attributes:
        inner: the detector.
        last: detections in the last image.
    """

    def __init__(self, inner: Detector) -> None:
        self.inner = inner
        self.last: Detections | None = None

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image."""
        self.last = None
        self.last = self.inner.detect(rgb)
        return self.last

    def reset(self) -> None:
        """Forget earlier images."""
        self.inner.reset()

    @property
    def remembers_images(self) -> bool:
        """Whether its detections depend on earlier images."""
        return isinstance(self.inner, MotionDetector)


class RecordingDeviceDetector(RecordingDetector):
    """A `RecordingDetector` for a detector that also takes images on its device."""

    inner: DeviceDetector

    def detect_on_device(self, image: Tensor) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image on any device."""
        self.last = None
        self.last = self.inner.detect_on_device(image)
        return self.last


def record(detector: Detector) -> RecordingDetector:
    """Return a detector that remembers its last detections, and takes the same images."""
    if isinstance(detector, DeviceDetector):
        return RecordingDeviceDetector(detector)
    return RecordingDetector(detector)


class Engine:
    """Network and detector, shared by several bags."""

    def __init__(self, config: EvaluationSettings, cameras: int = 1) -> None:
        """Load the network and the detector.

        Args:
            config: settings of the evaluation.
            cameras: most cameras of a bag, which share a batch.

        Raises:
            ValueError: a model, body, detector or device that cannot be used.
            OSError: a file that cannot be read.
        """
        self._name = Path(config.model).stem
        self._create_detector = detector_factory(config, choose_device(config.device))
        self._pipeline = build_pipeline(config, self._create_detector, cameras=cameras)
        self._model_hash = hash_files([find_checkpoint(config.model)])

    @property
    def body(self) -> Body:
        """The body that the network poses."""
        return self._pipeline.estimator.model.body

    @property
    def model(self) -> str:
        """Name of the network, as the node gives it."""
        return self._name

    def add_mesh(self, people: People) -> People:
        """Return people with their vertices."""
        return self._pipeline.add_mesh(people)

    def create_pipeline(self) -> Pipeline:
        """Return a new pipeline without history; its detectors are `RecordingDetector`s."""
        shared = self._pipeline
        return Pipeline(shared.estimator, lambda: record(self._create_detector()), shared.config)

    @cached_property
    def hashes(self) -> dict[str, Any]:
        """SHA-256 of the network's file, of the body's arrays and of its regressor."""
        arrays = {
            name: values.cpu().numpy()
            for name, values in self.body.named_buffers()
            if name != "J_regressor_h36m"
        }
        regressor = self.body.J_regressor_h36m
        body = {"arrays": hash_parts(arrays[name] for name in sorted(arrays))}
        if regressor is not None:
            body["regressor"] = hash_parts([regressor.cpu().numpy()])
        return {"model": self._model_hash, "body": body}

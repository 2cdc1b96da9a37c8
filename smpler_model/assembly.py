"""Builds pipelines from settings, in the same way for node, bag evaluator and command line."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl_file import load_chosen_body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.checkpoints.files import load_model
from smpler_model.checkpoints.shipped import (
    SHIPPED_MODELS,
    find_checkpoint,
    load_shipped_model,
)
from smpler_model.detectors.detector import Detector, FullImageDetector, GivenBoxes
from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.motion import MotionDetector
from smpler_model.detectors.onnx_detector import OnnxDetector
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.detectors.torchvision_detector import TorchvisionDetector
from smpler_model.frames import Frame
from smpler_model.inference.backends import choose
from smpler_model.inference.self_check import Checked, build_checked_estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.smoothing import OneEuro, SmoothingConfig
from smpler_model.people.tracker import IdSource, TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import SCORING_DETECTORS, BodySettings, PipelineSettings
from smpler_model.shared_image import SharedImage

logger = logging.getLogger(__name__)

CreateDetector = Callable[[], Detector]

_USUAL_IMAGE = (720, 1280, 3)  # large enough for the second pass of `person`


def warn_of_refusal(checked: Checked) -> None:
    """Log which backends the self-check refused and why, if it did."""
    if checked.warning:
        logger.warning("%s", checked.warning)


def build_pipeline(
    settings: PipelineSettings,
    create_detector: CreateDetector | None = None,
    *,
    cameras: int = 1,
    tell: Callable[[Checked], None] = warn_of_refusal,
    ids: IdSource | None = None,
) -> Pipeline:
    """Load everything that the settings name.

    Args:
        settings: settings of the pipeline.
        create_detector: creates each camera's detector, instead of the one in the settings.
        cameras: how many cameras share a batch.
        tell: gets what the self-check of the network found.
        ids: where the tracks' ids come from; they start at 0 if None.

    Raises:
        ValueError: an unusable model, body, detector or device; the message says why.
        DeviceMemoryError: the detector does not fit into the device's memory.
        OSError: a file that cannot be read.
    """
    device = choose_device(settings.device)
    # First, as its self-check says in a sentence what is wrong with a device.
    checked = build_checked(load_named_model(settings), settings, device, cameras)
    tell(checked)
    detector = create_detector or detector_factory(settings, device)
    return Pipeline(checked.estimator, detector, pipeline_config(settings), ids=ids)


def build_checked(
    model: Smpler, settings: PipelineSettings, device: torch.device, cameras: int = 1
) -> Checked:
    """Return the network that the settings name, with the first backend that works.

    PyTorch uses as many threads as they say from then on.

    Args:
        model: the network, on the CPU.
        settings: settings of the pipeline.
        device: where it runs.
        cameras: how many cameras share a batch.

    Raises:
        ValueError: a backend that cannot be used; the message says why.
        FileNotFoundError: the exported network is not there.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    exported = Path(settings.exported) if settings.exported else None
    choice = choose(model, device, settings.backend, settings.precision, exported)
    return build_checked_estimator(model, choice, cameras * settings.max_people)


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is the first GPU, or the CPU if there is none.

    Raises:
        ValueError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got '{name}'")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(
            f"device '{name}' needs a GPU that PyTorch can use, found {count}; install a CUDA "
            "build of PyTorch or set device to auto"
        )
    return device


def load_named_model(settings: BodySettings) -> Smpler:
    """Load the model and the body that the settings name.

    Raises:
        ValueError: a file that does not fit.
        OSError: a file that cannot be read.
    """
    name = settings.model
    body = load_chosen_body(settings.body, settings.gender)
    if name in SHIPPED_MODELS:
        return load_shipped_model(name, body)
    return load_model(find_checkpoint(name), body=body, default_body=load_builtin_body)


def load_named_body(settings: BodySettings) -> BodyArrays:
    """Load only the body that `load_named_model` loads, without the network if possible.

    Raises:
        ValueError: a file that does not fit.
        OSError: a file that cannot be read.
    """
    body = load_chosen_body(settings.body, settings.gender)
    if body is not None:
        return body
    if settings.model in SHIPPED_MODELS:
        return load_builtin_body()
    return load_named_model(settings).body.arrays()


def detector_factory(settings: PipelineSettings, device: torch.device) -> CreateDetector:
    """Return a function that creates each camera's detector; stateless detectors are shared.

    Raises:
        ValueError: weights that are missing or do not fit, or a network that fails.
        DeviceMemoryError: the device's memory does not suffice.
    """
    if settings.boxes_are_given:
        return GivenBoxes
    kind, weights = settings.detector, settings.detector_weights
    score = min(settings.keep_score, settings.detection_score)
    if kind == "motion":
        return MotionDetector
    if kind == "full_image":
        return FullImageDetector
    shared: Detector
    if kind == "onnx":
        if not weights:
            raise ValueError(
                "the detector onnx needs a file, got none; set detector_weights to its path"
            )
        shared = OnnxDetector(
            weights, score_threshold=score, device=device, threads=settings.threads
        )
    elif kind == "person":
        shared = PersonDetector(
            weights or None,
            device=device,
            score_threshold=score,
            second_pass=settings.second_pass,
            threads=settings.threads,
        )
    else:
        shared = TorchvisionDetector(weights or None, device=device, score_threshold=score)
    warm_up_detector(shared, device)
    return lambda: shared


def warm_up_detector(detector: Detector, device: torch.device) -> None:
    """Show a grey image to a detector on a GPU.

    CUDA's libraries start then, not at a camera's first image, and what cannot run is told now.

    Args:
        detector: the detector.
        device: where it runs; on a CPU nothing is done.

    Raises:
        DetectorError: it fails.
        DeviceMemoryError: the device's memory does not suffice.
    """
    if device.type != "cuda":
        return
    image = SharedImage(Frame(np.full(_USUAL_IMAGE, 128, np.uint8), 0), device)
    try:
        image.detect(detector)
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise DetectorError(
            f"the detector must run on {device}, got an error ({reason}); choose another "
            "detector, or set device to cpu"
        ) from error


def pipeline_config(settings: PipelineSettings) -> PipelineConfig:
    """Return the settings of the pipeline's steps."""
    usual = SmoothingConfig()
    smoothing = SmoothingConfig(
        rotations=OneEuro(settings.rotation_cutoff, usual.rotations.speed_gain),
        bearing=OneEuro(settings.bearing_cutoff, usual.bearing.speed_gain),
        depth=OneEuro(settings.depth_cutoff, usual.depth.speed_gain),
        shape_time_s=settings.shape_time,
    )
    # The source of given boxes has already selected them.
    least_score = 0.0 if settings.boxes_are_given else settings.detection_score
    has_scores = not settings.boxes_are_given and settings.detector in SCORING_DETECTORS
    return PipelineConfig(
        tracker=TrackerConfig(
            start_score=least_score,
            sure_score=least_score,
            confirm_frames=settings.confirm_frames,
            confirm_score=settings.confirm_score if has_scores else math.inf,
            lost_s=settings.lost_after,
            min_iou=settings.min_iou,
        ),
        smoothing=smoothing if settings.smoothing else None,
        crop_margin=settings.crop_margin,
        assumed_fov_deg=settings.fov,
        max_people=settings.max_people,
        coast=settings.coast,
        use_floor=settings.use_floor,
        floor_from_feet=settings.floor_from_feet,
        remember_s=settings.remember,
    )

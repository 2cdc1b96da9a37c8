"""Pipelines from parameters: the same for node, bag evaluator and command line."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch

from smpler_model.body.smpl_file import Gender, load_chosen_body
from smpler_model.checkpoints.files import load_model
from smpler_model.checkpoints.shipped import SHIPPED_MODELS, load_shipped_model
from smpler_model.detectors.detector import Detector, FullImageDetector
from smpler_model.detectors.motion import MotionDetector
from smpler_model.detectors.onnx_detector import OnnxDetector
from smpler_model.detectors.torchvision_detector import TorchvisionDetector
from smpler_model.inference.backends import Backend, Precision
from smpler_model.inference.estimator import Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.parameters import Values
from smpler_model.people.smoothing import OneEuro, SmoothingConfig
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline, PipelineConfig

CreateDetector = Callable[[], Detector]


def build_pipeline(values: Values, create_detector: CreateDetector | None = None) -> Pipeline:
    """Load everything that the parameters name.

    Args:
        values: of all `parameters.PARAMETERS`, as `parameters.check_values` returns them; others
            are ignored.
        create_detector: gives each camera its detector instead of the one that is named.

    Raises:
        ValueError: a model, body, detector or device that cannot be used; the message says why.
        OSError: a file that cannot be read.
    """
    if _int(values, "threads"):
        torch.set_num_threads(_int(values, "threads"))
    device = choose_device(_str(values, "device"))
    detector = create_detector or detector_factory(values, device)
    exported = _str(values, "exported")
    estimator = Estimator(
        load_named_model(values),
        device,
        backend=cast(Backend, values["backend"]),
        precision=cast(Precision, values["precision"]),
        exported=Path(exported) if exported else None,
    )
    # A GPU prepares each size of batch; the CPU only has to touch its memory once.
    estimator.warm_up(_int(values, "max_people") if device.type == "cuda" else 1)
    return Pipeline(estimator, detector, pipeline_config(values))


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the first GPU, or the CPU where there is none.

    Raises:
        ValueError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got '{name}'; choose one")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(
            f"device '{name}' needs a GPU that PyTorch can use, found {count}; install a CUDA "
            "build of PyTorch or set device to auto"
        )
    return device


def load_named_model(values: Values) -> Smpler:
    """Load the model and the body that the parameters name.

    Raises:
        ValueError: a file that does not fit.
        OSError: a file that cannot be read.
    """
    name = _str(values, "model")
    body = load_chosen_body(_str(values, "body"), cast(Gender, _str(values, "gender")))
    if name in SHIPPED_MODELS:
        return load_shipped_model(name, body)
    if not Path(name).is_file():
        raise FileNotFoundError(
            f"model must be {' or '.join(SHIPPED_MODELS)} or a checkpoint's path, got '{name}'; "
            "check the path"
        )
    return load_model(name, body=body)


def detector_factory(values: Values, device: torch.device) -> CreateDetector:
    """Return what gives each camera its detector; those that remember nothing are shared.

    Raises:
        ValueError: weights that are missing or do not fit.
    """
    kind, weights = _str(values, "detector"), _str(values, "detector_weights")
    score = _float(values, "detection_score")
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
            weights, score_threshold=score, device=device, threads=_int(values, "threads")
        )
    else:
        shared = TorchvisionDetector(weights or None, device=device, score_threshold=score)
    return lambda: shared


def pipeline_config(values: Values) -> PipelineConfig:
    """Return the pipeline's settings."""
    usual = SmoothingConfig()
    smoothing = SmoothingConfig(
        rotations=OneEuro(_float(values, "rotation_cutoff"), usual.rotations.speed_gain),
        bearing=OneEuro(_float(values, "bearing_cutoff"), usual.bearing.speed_gain),
        depth=OneEuro(_float(values, "depth_cutoff"), usual.depth.speed_gain),
        shape_time_s=_float(values, "shape_time"),
    )
    least_score = min(TrackerConfig.start_score, _float(values, "detection_score"))
    if values["detector"] == "topic":  # whoever sends boxes has chosen them
        least_score = 0.0
    return PipelineConfig(
        tracker=TrackerConfig(
            start_score=least_score,
            sure_score=least_score,
            confirm_frames=_int(values, "confirm_frames"),
            lost_s=_float(values, "lost_after"),
            min_iou=_float(values, "min_iou"),
        ),
        smoothing=smoothing if values["smoothing"] else None,
        crop_margin=_float(values, "crop_margin"),
        assumed_fov_deg=_float(values, "fov"),
        max_people=_int(values, "max_people"),
        coast=bool(values["coast"]),
    )


def _str(values: Values, name: str) -> str:
    return cast(str, values[name])


def _float(values: Values, name: str) -> float:
    return cast(float, values[name])


def _int(values: Values, name: str) -> int:
    return cast(int, values[name])

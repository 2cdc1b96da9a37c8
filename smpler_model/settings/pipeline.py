"""Settings of the pipeline: the same for node, `evaluate_bag` and `run`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from smpler_model.settings.setting import Settings, setting

# Repeated here, with a test: settings import no other room, so that `--help` waits neither for
# PyTorch nor for OpenCV.
Gender = Literal["neutral", "male", "female"]
Backend = Literal["auto", "plain", "eager", "compiled", "onnxruntime", "openvino", "cuda_graph"]
Precision = Literal["auto", "float32", "half"]
Yuv422 = Literal["uyvy", "yuyv"]

DETECTORS = ("person", "torchvision", "onnx", "motion", "full_image")
SCORING_DETECTORS = ("person", "torchvision", "onnx")
"""Detectors whose scores are confidences; those of the others are 1."""

DETECTOR_DESCRIPTION = (
    "How people are detected: person (weights included), torchvision (weights are downloaded "
    "once), onnx (your own file), motion (static camera, no weights), full_image (one person "
    "fills the image)"
)


@dataclass(frozen=True, kw_only=True)
class EncodingSettings(Settings):
    """Properties of images that messages do not state."""

    part: ClassVar[str] = "Cameras"

    yuv422: Yuv422 = setting(
        "uyvy",
        "Byte order of images labelled yuv422: uyvy as ROS defines it, or yuyv, which older "
        "drivers send under this name.",
    )


@dataclass(frozen=True, kw_only=True)
class CameraSettings(EncodingSettings):
    """Properties of cameras, whatever the source of the images."""

    fov: float = setting(
        60.0,
        "Horizontal field of view assumed for a camera without calibration.",
        unit="degrees",
        minimum=1.0,
        maximum=179.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class BodySettings(Settings):
    """The network and its body."""

    part: ClassVar[str] = "Model"

    model: str = setting(
        "smpler_nano", "Shipped model (smpler_nano), or path of a checkpoint.", is_path=True
    )
    body: str = setting(
        "",
        "SMPL file, or folder of SMPL files; if empty, the body in the checkpoint, or else the "
        "built-in one.",
        is_path=True,
    )
    gender: Gender = setting("neutral", "Which body to load from a folder of SMPL files.")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(BodySettings):
    """The network, its body, and where it runs."""

    part: ClassVar[str] = "Model"

    device: str = setting(
        "auto", "Inference device: auto, cpu, cuda, or a particular GPU such as cuda:1."
    )
    threads: int = setting(
        0,
        "Inference threads on the CPU; 0 leaves the number to PyTorch.",
        minimum=0,
        maximum=256,
    )
    backend: Backend = setting(
        "auto",
        "Inference backend; auto takes the fastest one that is installed. A backend that fails "
        "its self-check at configure is replaced by the next one.",
    )
    exported: str = setting(
        "",
        "ONNX file written by the command export from this model and body, for the backend "
        "onnxruntime; if empty, the network is exported at startup.",
        is_path=True,
    )
    precision: Precision = setting(
        "auto",
        "Floating-point precision of the backbone's feature maps; auto is half on a GPU and "
        "float32 on a CPU. TF32 is never used.",
    )
    crop_margin: float = setting(
        1.2,
        "Side of the square crop as a multiple of the longer side of the person's bounding box.",
        minimum=1.0,
        maximum=3.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class DetectionSettings(Settings):
    """The detector."""

    part: ClassVar[str] = "Detection"

    detector: str = setting("person", f"{DETECTOR_DESCRIPTION}.", choices=DETECTORS)
    detector_weights: str = setting(
        "",
        "Weights file of the detectors person, torchvision and onnx; if empty, the first two "
        "use their own weights.",
        is_path=True,
    )
    detection_score: float = setting(
        0.5,
        "Minimum confidence of a detection that begins a track.",
        minimum=0.01,
        maximum=0.99,
    )
    keep_score: float = setting(
        0.25,
        "Minimum confidence of a detection that continues a track; at most detection_score.",
        minimum=0.01,
        maximum=0.99,
    )
    second_pass: int = setting(
        512,
        "Longer side of the second pass of the detector person, which finds small people in "
        "images of more than 640 pixels; 0 turns it off. In 1920x1080, larger values help up to "
        "768.",
        unit="pixels",
        minimum=0,
        maximum=2048,
    )
    max_people: int = setting(
        16,
        "Maximum number of people estimated per image; those with the largest boxes are kept.",
        minimum=1,
        maximum=256,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class TrackingSettings(Settings):
    """The tracker."""

    part: ClassVar[str] = "Tracking"

    confirm_frames: int = setting(
        2,
        "Consecutive images in which a person must be detected before being reported.",
        minimum=1,
        maximum=100,
    )
    confirm_score: float = setting(
        0.7,
        "Confidence above which a single image confirms a track, with the detectors person, "
        "torchvision and onnx; 1 turns this off.",
        minimum=0.01,
        maximum=1.0,
    )
    lost_after: float = setting(
        1.4, "Drop a track unseen this long.", unit="s", minimum=0.05, maximum=60.0
    )
    min_iou: float = setting(
        0.1,
        "Minimum overlap (intersection over union) between a detection and a track's predicted "
        "box for the two to be matched.",
        minimum=0.0,
        maximum=1.0,
    )
    coast: bool = setting(
        False, "Also report people who are briefly occluded, at their predicted boxes.", live=True
    )
    use_floor: bool = setting(
        False,
        "Compute the distance of standing people from their feet, with the floor at z = 0 of the "
        "fixed frame. Needs fixed_frame.",
        live=True,
    )
    floor_from_feet: bool = setting(
        False,
        "Estimate the floor from the feet of standing people over time, unless use_floor "
        "provides it. The camera must be calibrated, and be static or have a pose in the fixed "
        "frame.",
        live=True,
    )
    remember: float = setting(
        0.0,
        "Re-identification: how long people who leave the image are remembered. Someone who "
        "returns gets the earlier id back if body shape and torso colours match and nobody else "
        "looks similar. 0 turns it off.",
        unit="s",
        minimum=0.0,
        maximum=600.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class SmoothingSettings(Settings):
    """The filters over time."""

    part: ClassVar[str] = "Smoothing"

    smoothing: bool = setting(
        True, "Filter rotations, shape and position over time (One-Euro filters).", live=True
    )
    rotation_cutoff: float = setting(
        1.5,
        "Minimum cutoff frequency of the rotation filter; lower is smoother but lags more.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    )
    bearing_cutoff: float = setting(
        2.0,
        "Minimum cutoff frequency of the filter of the direction from the camera to the person.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    )
    depth_cutoff: float = setting(
        0.7,
        "Minimum cutoff frequency of the filter of the distance from the camera.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    )
    shape_time: float = setting(
        3.0,
        "Time constant over which the body shape is averaged.",
        unit="s",
        minimum=0.01,
        maximum=600.0,
        live=True,
    )


@dataclass(frozen=True, kw_only=True)
class PipelineSettings(  # fields come from the last base to the first
    SmoothingSettings, TrackingSettings, DetectionSettings, ModelSettings, CameraSettings
):
    """All settings of the pipeline."""

    @property
    def boxes_are_given(self) -> bool:
        """Whether boxes are supplied externally, so that no detector is needed."""
        return False

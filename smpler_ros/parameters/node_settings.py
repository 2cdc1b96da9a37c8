"""The node's settings: the pipeline's, and those of topics and messages."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from smpler_model.settings.pipeline import (
    DETECTOR_DESCRIPTION,
    DETECTORS,
    CameraSettings,
    EncodingSettings,
    PipelineSettings,
)
from smpler_model.settings.setting import Settings, setting
from smpler_model.settings.world import WorldSettings

TOPIC_DETECTOR = "topic"


@dataclass(frozen=True, kw_only=True)
class LifecycleSettings(Settings):
    """Settings of every node of this package."""

    part: ClassVar[str] = "Node"

    autostart: bool = setting(
        True, "Configure and activate at startup, without a lifecycle manager."
    )


@dataclass(frozen=True, kw_only=True)
class ImageTopicSettings(EncodingSettings):
    """How images arrive, for every node that shows or processes them."""

    image_transport: Literal["raw", "compressed"] = setting(
        "raw", "Subscribe to raw images (`image`) or compressed ones (`image/compressed`)."
    )
    rectified: bool = setting(
        False,
        "Whether the images are rectified: P of the calibration then applies, without distortion.",
    )


@dataclass(frozen=True, kw_only=True)
class InputSettings(ImageTopicSettings, CameraSettings):
    """Settings of subscriptions and images."""

    cameras: tuple[str, ...] = setting(
        ("",),
        "Namespaces of the cameras, whose people share one batch; an empty name is the node's own "
        "namespace.",
    )
    use_depth: bool = setting(
        False, "Take people's distance from `depth`, a depth image aligned with the image."
    )
    pairing_tolerance: float = setting(
        0.02,
        "Largest difference between the timestamps of an image and its depth image or detections.",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )
    transform_wait: float = setting(
        0.1,
        "Longest time that an image waits for the camera's pose in fixed_frame; then it is "
        "processed without it.",
        unit="s",
        minimum=0.0,
        maximum=2.0,
    )
    person_labels: tuple[str, ...] = setting(
        ("person", "0"),
        "Class labels of people in `detections`; detections without a label count as people.",
    )


@dataclass(frozen=True, kw_only=True)
class PublishSettings(Settings):
    """Settings of the outputs besides `people`."""

    part: ClassVar[str] = "Outputs"

    publish_tf: bool = setting(
        True, "Publish the frames of each person's 24 joints on `/tf`.", live=True
    )
    publish_vertices: bool = setting(
        False,
        "Include each person's 6890 mesh vertices in `people`, 83 kB per person.",
        live=True,
    )
    publish_hri: bool = setting(
        False,
        "Also publish the REP 155 topics and frames under `/humans/bodies`; needs hri_msgs.",
    )


@dataclass(frozen=True, kw_only=True)
class OutputSettings(Settings):
    """Appearance of frames, markers and overlays, live and in bags."""

    part: ClassVar[str] = "Outputs"

    tf_prefix: str = setting(
        "",
        "Prefix of frame names: rear gives rear/person_<id>/<joint>. If empty, the node's "
        "namespace; / for no prefix.",
    )
    tf_confidence: float = setting(
        0.0,
        "Minimum confidence of joints whose frames are published; the frames of their ancestors "
        "are published with them.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    marker_lifetime: float = setting(
        0.5,
        "Lifetime of markers after the last update; 0 keeps them.",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    mesh_opacity: float = setting(
        1.0, "Opacity of mesh markers; 1 is opaque.", minimum=0.05, maximum=1.0
    )
    overlay_mesh: bool = setting(
        True,
        "Draw meshes in `overlay/compressed`; without them, skeletons only, much faster.",
        live=True,
    )
    jpeg_quality: int = setting(
        80, "JPEG quality of `overlay/compressed`.", minimum=1, maximum=100, live=True
    )


@dataclass(frozen=True, kw_only=True)
class NodeSettings(  # fields come from the last base to the first
    OutputSettings,
    PublishSettings,
    WorldSettings,
    PipelineSettings,
    InputSettings,
    LifecycleSettings,
):
    """All parameters of `smpler_node`."""

    detector: str = setting(
        "person",
        f"{DETECTOR_DESCRIPTION}, topic (boxes from `detections`, vision_msgs/Detection2DArray).",
        choices=(*DETECTORS, TOPIC_DETECTOR),
    )

    @property
    def boxes_are_given(self) -> bool:
        """Whether boxes of people come from `detections`."""
        return self.detector == TOPIC_DETECTOR

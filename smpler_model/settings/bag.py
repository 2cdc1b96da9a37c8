"""Settings of a bag's cameras, which override the defaults derived from the bag."""

from dataclasses import dataclass

from smpler_model.settings.pipeline import CameraSettings
from smpler_model.settings.setting import setting

WITHOUT = "none"
"""Topic name that disables reading a topic."""


@dataclass(frozen=True, kw_only=True)
class BagSettings(CameraSettings):
    """How a bag's cameras are read; None and empty names use what the bag provides."""

    info_topic: str = setting(
        "",
        f"CameraInfo topic of the images, or {WITHOUT}.",
        unset="camera_info next to the images",
    )
    depth_topic: str = setting(
        "",
        f"Topic of depth images aligned with the images, or {WITHOUT}.",
        unset="found by its name",
    )
    rectified: bool | None = setting(
        None,
        "Whether the images are rectified: P of the calibration then applies, without distortion.",
        unset="according to the topic's name",
    )
    use_depth: bool | None = setting(
        None, "Take people's distance from aligned depth images.", unset="if the bag has them"
    )
    pairing_tolerance: float = setting(
        0.02,
        "Largest difference between the timestamps of an image and of its depth image.",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )

    @property
    def wants_depth(self) -> bool | None:
        """Whether to use depth, where a named topic takes precedence; None if the bag decides."""
        return self.depth_topic != WITHOUT if self.depth_topic else self.use_depth

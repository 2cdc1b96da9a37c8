"""Settings of people in a fixed frame, for programs with transforms: the node, `evaluate_bag`."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.pipeline import TrackingSettings
from smpler_model.settings.setting import setting

FUSED = "fused"
"""Namespace of the topics of fused people."""


@dataclass(frozen=True, kw_only=True)
class WorldSettings(TrackingSettings):
    """The fixed frame in which people are filtered, and fusion of several cameras in it."""

    part: ClassVar[str] = "World"

    fixed_frame: str = setting(
        "",
        "World-fixed frame with z up (REP 105) that TF connects with the images' frame, such as "
        "map or odom. People are filtered in it, so that camera motion does not disturb them, "
        "and have a position, a velocity and a facing direction in it. If empty, people are "
        "filtered in the camera's frame.",
    )
    fusion_tolerance: float = setting(
        0.0,
        "Maximum difference between the timestamps of several cameras' images whose people are "
        "fused into one body and one id per person; less than half the time between a camera's "
        "images. Needs fixed_frame and calibrated cameras; 0 turns fusion off.",
        unit="s",
        minimum=0.0,
        maximum=0.5,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fusion_tolerance and not self.fixed_frame:
            raise ValueError(
                f"fusion_tolerance must come with fixed_frame, got {self.fusion_tolerance:g} "
                "without; set fixed_frame to a frame that TF connects with all cameras"
            )

    def check_use(self) -> None:
        """Check that the floor of `use_floor` is known."""
        super().check_use()
        if self.use_floor and not (self.fixed_frame or self.floor_from_feet):
            raise ValueError(
                "use_floor must come with fixed_frame, got none; set fixed_frame to a frame whose "
                "z = 0 is the floor, or use floor_from_feet"
            )

"""Settings of people in the world, for what knows transforms: the node and bags."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.setting import Settings, setting

FUSED = "fused"
"""Namespace of the topics of fused people."""


@dataclass(frozen=True, kw_only=True)
class WorldSettings(Settings):
    """In which frame people stand and move."""

    part: ClassVar[str] = "World"

    fixed_frame: str = setting(
        "",
        "Frame with z up, fixed in the world (REP 105), to which transforms lead from the images' "
        "frame: map or odom. People are filtered in it, so that a camera that moves does not move "
        "them, and get a position, a velocity and a facing in it. If empty, people are filtered "
        "in the camera's frame.",
    )
    fusion_tolerance: float = setting(
        0.0,
        "Fuse the people in images of several cameras whose timestamps differ by at most this, "
        "into one body and one id a person; below half the time between a camera's images. Needs "
        "fixed_frame and calibrated cameras. If 0, nothing is fused.",
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

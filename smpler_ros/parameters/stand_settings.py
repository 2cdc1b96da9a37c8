"""Settings of the camera stand."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.setting import setting
from smpler_ros.parameters.node_settings import LifecycleSettings


@dataclass(frozen=True, kw_only=True)
class StandSettings(LifecycleSettings):
    """All parameters of `camera_stand`."""

    part: ClassVar[str] = "Stand"

    world_frame: str = setting(
        "map", "Frame in which the camera stands: z up, with the floor at z = 0 (REP 105)."
    )
    height: float = setting(
        1.2, "Height of the camera above the floor.", unit="m", minimum=0.0, maximum=100.0
    )
    pitch: float = setting(
        0.0,
        "Angle by which the camera looks down.",
        unit="degrees",
        minimum=-90.0,
        maximum=90.0,
    )
    wait: float = setting(
        2.0,
        "Time after the first image in which others may publish the camera's pose.",
        unit="s",
        minimum=0.1,
        maximum=600.0,
    )

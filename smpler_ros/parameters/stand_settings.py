"""What can be set of a camera's stand."""

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
        "How far the camera looks down from the horizon.",
        unit="degrees",
        minimum=-90.0,
        maximum=90.0,
    )
    wait: float = setting(
        2.0,
        "How long others have time to say where the camera is, after its first image.",
        unit="s",
        minimum=0.1,
        maximum=600.0,
    )

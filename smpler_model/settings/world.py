"""Settings of people in the world, for what knows transforms: the node and bags."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.setting import Settings, setting


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

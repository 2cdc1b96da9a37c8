"""Parameters of the viewer."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.pipeline import BodySettings
from smpler_model.settings.setting import setting
from smpler_model.settings.view import PageSettings
from smpler_ros.parameters.node_settings import ImageTopicSettings, LifecycleSettings


@dataclass(frozen=True, kw_only=True)
class ViewerSettings(LifecycleSettings, PageSettings, ImageTopicSettings, BodySettings):
    """All parameters of `viewer`."""

    part: ClassVar[str] = "Viewer"

    cameras: tuple[str, ...] = setting(
        ("",),
        "Namespaces of the cameras. With several cameras, their fused people (`fused/people`) are "
        "shown with the images of all cameras; with one, its own people (`people`). An empty name "
        "is the node's own namespace.",
    )
    camera_height: float = setting(
        1.2,
        "Height of the camera above the floor, unless transforms give its pose.",
        unit="m",
        minimum=0.0,
        maximum=100.0,
    )
    camera_pitch: float = setting(
        0.0,
        "Angle by which the camera looks down, unless transforms give its pose.",
        unit="degrees",
        minimum=-90.0,
        maximum=90.0,
    )

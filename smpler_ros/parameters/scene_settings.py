"""Settings of the synthetic camera."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from smpler_model.settings.setting import setting
from smpler_ros.parameters.node_settings import LifecycleSettings
from synthetic.scene_kinds import Background, CameraMotion

LENSES: dict[str, tuple[float, ...]] = {
    "none": (),
    "plumb_bob": (-0.25, 0.07, 0.001, -0.001, 0.0),
    "rational_polynomial": (0.4, 0.05, 0.0, 0.0, 0.01, 0.7, 0.1, 0.02),
    "equidistant": (-0.02, 0.005, -0.002, 0.0),
}
"""Typical distortion coefficients by `distortion_model`."""


@dataclass(frozen=True, kw_only=True)
class SceneSettings(LifecycleSettings):
    """All parameters of `synthetic_camera`."""

    part: ClassVar[str] = "Scene"

    width: int = setting(640, "Image width.", unit="pixels", minimum=64, maximum=4096)
    height: int = setting(480, "Image height.", unit="pixels", minimum=64, maximum=4096)
    rate: float = setting(15.0, "Frame rate.", unit="Hz", minimum=0.5, maximum=120.0)
    fov: float = setting(
        60.0,
        "Horizontal field of view, before distortion by the lens.",
        unit="degrees",
        minimum=20.0,
        maximum=110.0,
    )
    lens: str = setting("none", "Distortion model of the camera.", choices=tuple(LENSES))
    people: int = setting(
        3, "Number of people in the room; not all are always in view.", minimum=0, maximum=32
    )
    seed: int = setting(
        0,
        "Random seed of the room, the people and their motions.",
        minimum=0,
        maximum=2**31 - 1,
    )
    empty: float = setting(
        1.5,
        "Time for which the room is empty at the start of each loop. If it is longer than a "
        "tracker's lost_after, no id carries over from the loop before; meanwhile the detector "
        "motion learns the background.",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    camera_motion: CameraMotion = setting(
        "still", "Whether the camera is still, pans, or drives back and forth."
    )
    background: Background = setting("room", "Render a furnished room, or plain grey.")
    loop: float = setting(
        12.0,
        "Length of the scene, which then restarts: first with the empty room, then with the "
        "people at their initial positions.",
        unit="s",
        minimum=0.1,
        maximum=600.0,
    )
    rendering: Literal["ahead", "live"] = setting(
        "ahead",
        "ahead: render the whole loop into memory before publishing; live: render each image when "
        "it is due, and drop it if that takes too long.",
    )
    memory: int = setting(
        1024,
        "Memory limit for images rendered ahead.",
        unit="MB",
        minimum=1,
        maximum=1_000_000,
    )
    duration: float = setting(
        0.0,
        "Stop publishing after this time; 0 for no limit.",
        unit="s",
        minimum=0.0,
        maximum=1e6,
    )
    publish_depth: bool = setting(
        False, "Publish `depth`, noise-free depth images aligned with the image."
    )
    jpeg_quality: int = setting(90, "JPEG quality of `image/compressed`.", minimum=1, maximum=100)
    frame_id: str = setting("camera_optical_frame", "Optical frame of the camera (REP 103).")
    link_frame: str = setting(
        "camera_link", "Body frame of the camera: x forward, y left, z up (REP 103)."
    )
    world_frame: str = setting(
        "map",
        "Frame of the room, z up, with the floor at z = 0 (REP 105); if empty, no transforms are "
        "published.",
    )

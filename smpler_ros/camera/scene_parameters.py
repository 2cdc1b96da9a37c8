"""What a user can set of the synthetic camera, and the scene that follows from it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.parameters import Parameter, Value
from smpler_ros.camera.scene_player import Film, film_size_mb
from synthetic.scene import Background, CameraMotion, SyntheticScene

LENSES: dict[str, tuple[float, ...]] = {
    "none": (),
    "plumb_bob": (-0.25, 0.07, 0.001, -0.001, 0.0),
    "rational_polynomial": (0.4, 0.05, 0.0, 0.0, 0.01, 0.7, 0.1, 0.02),
    "equidistant": (-0.02, 0.005, -0.002, 0.0),
}
"""Coefficients of the lenses that there are, by `distortion_model`; as those of usual cameras."""

SYNTHETIC_CAMERA_PARAMETERS = (
    Parameter("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    Parameter("width", 640, "Of the images.", unit="pixels", minimum=64, maximum=4096),
    Parameter("height", 480, "Of the images.", unit="pixels", minimum=64, maximum=4096),
    Parameter("rate", 15.0, "Images a second.", unit="Hz", minimum=0.5, maximum=120.0),
    Parameter(
        "fov",
        60.0,
        "Horizontal field of view; through a lens, that of its middle.",
        unit="degrees",
        minimum=20.0,
        maximum=110.0,
    ),
    Parameter("lens", "none", "Distortion model of the camera.", choices=tuple(LENSES)),
    Parameter(
        "people", 3, "People in the room; not all are in view all the time.", minimum=0, maximum=32
    ),
    Parameter(
        "seed",
        0,
        "Decides the room, the people and what they do.",
        minimum=0,
        maximum=2**31 - 1,
    ),
    Parameter(
        "empty",
        0.0,
        "Nobody is in the room for so long at the start of each loop.",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    ),
    Parameter(
        "camera_motion",
        "still",
        "Whether the camera stands still, pans, or drives to and fro.",
        choices=("still", "pan", "drive"),
    ),
    Parameter(
        "background",
        "room",
        "What stands behind people: a room, or plain grey.",
        choices=("room", "plain"),
    ),
    Parameter(
        "loop",
        12.0,
        "After this time everything repeats, and people jump to where they were at the start.",
        unit="s",
        minimum=0.1,
        maximum=600.0,
    ),
    Parameter(
        "rendering",
        "ahead",
        "ahead: a whole loop is rendered before the first image is published, and kept; live: "
        "every image is rendered when it is due, and left out when that takes too long.",
        choices=("ahead", "live"),
    ),
    Parameter(
        "memory",
        1024,
        "What images that are rendered ahead may take at most.",
        unit="MB",
        minimum=1,
        maximum=1_000_000,
    ),
    Parameter(
        "duration",
        0.0,
        "Stop publishing after this time; 0 for never.",
        unit="s",
        minimum=0.0,
        maximum=1e6,
    ),
    Parameter(
        "publish_depth", False, "Publish `depth`, aligned with the image and without noise."
    ),
    Parameter("jpeg_quality", 90, "Of `image/compressed`.", minimum=1, maximum=100),
    Parameter("frame_id", "camera_optical_frame", "The camera's optical frame (REP 103)."),
    Parameter("link_frame", "camera_link", "The camera's body frame: x forward, y left, z up."),
    Parameter(
        "world_frame",
        "map",
        "Frame of the room, z up, its floor at 0 (REP 105); if empty, no transforms are sent.",
    ),
)
"""All parameters of the synthetic camera."""


def make_film(values: Mapping[str, Value]) -> Film:
    """Return the film that parameters describe.

    Raises:
        ValueError: it is to be rendered ahead and takes more memory than allowed.
    """
    _check_memory(values)
    rate_hz = cast(float, values["rate"])
    return Film(_make_scene(values), rate_hz, depth=bool(values["publish_depth"]))


def _check_memory(values: Mapping[str, Value]) -> None:
    numbers = [cast(float, values[name]) for name in ("loop", "rate", "width", "height", "memory")]
    loop_s, rate_hz, width, height, limit_mb = numbers
    size_mb = film_size_mb(loop_s * rate_hz, width * height, depth=bool(values["publish_depth"]))
    if values["rendering"] == "ahead" and size_mb > limit_mb:
        raise ValueError(
            f"images rendered ahead must fit {limit_mb} MB, {loop_s * rate_hz:.0f} of them take "
            f"{size_mb:.0f} MB; shorten loop, set rendering to live, or raise memory"
        )


def _make_scene(values: Mapping[str, Value]) -> SyntheticScene:
    lens = cast(str, values["lens"])
    assumed = camera_from_field_of_view(
        cast(int, values["width"]), cast(int, values["height"]), cast(float, values["fov"])
    )
    return SyntheticScene(
        Body(load_builtin_body()),
        replace(assumed, lens=lens, coefficients=LENSES[lens], calibrated=True),
        people=cast(int, values["people"]),
        seed=cast(int, values["seed"]),
        duration_s=cast(float, values["loop"]),
        empty_s=cast(float, values["empty"]),
        camera_motion=cast(CameraMotion, values["camera_motion"]),
        background=cast(Background, values["background"]),
        frame_id=cast(str, values["frame_id"]),
    )

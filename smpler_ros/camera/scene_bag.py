"""Bags of synthetic scenes, with ground truth.

Every camera stands in a room of its own. Topics lie below `/camera`, or `/camera_<i>` where there
are several: `image_raw` or `image_raw/compressed`, `camera_info`, `ground_truth/people`, and
`depth_registered/image_raw` if wanted. The rooms lie side by side in the frame `map`, z up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import FrameResult
from smpler_ros.bags.bag_writer import BagFormat, BagWriter
from smpler_ros.messages.convert import header_message, person_array_message, transform_message
from smpler_ros.messages.images import (
    camera_info_message,
    depth_message,
    image_message,
    jpeg_message,
)
from smpler_ros.messages.message_types import MESSAGE_NAMES, Message, MessageTypes
from synthetic.scene import SyntheticScene
from synthetic.scene_kinds import CameraMotion
from synthetic.truth import SceneFrame, people_from_truth

START_NS = 1_700_000_000 * NS_PER_S
"""Timestamp of the first image; RViz takes small ones for simulated time."""

TRUTH_TOPIC = "ground_truth/people"
TRUTH_MODEL = "ground_truth"
MAP_FRAME = "map"

_ROOM_SPACING_M = 14.0
_BOUNDS: dict[str, tuple[float, float]] = {
    "duration_s": (0.001, 86_400),
    "rate_hz": (0.01, 1_000),
    "width": (16, 8_192),
    "height": (16, 8_192),
    "fov_deg": (1, 179),
    "people": (0, 64),
    "cameras": (1, 64),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class SceneBagConfig:
    """Contents of a bag.

    Attributes:
        duration_s: length, seconds; also of the scene.
        rate_hz: frame rate of each camera.
        width: width of the images, pixels.
        height: height of the images, pixels.
        fov_deg: horizontal field of view, degrees.
        people: number of people in each room.
        cameras: number of rooms, one camera in each.
        seed: random seed; the rooms use successive seeds.
        image: how images are stored.
        depth: whether there is a depth image for each image.
        camera_motion: motion of the cameras.
        lens: distortion model of the cameras, `none` for none.
        coefficients: distortion coefficients, in OpenCV's order.

    Raises:
        ValueError: a value out of range.
    """

    duration_s: float = 10.0
    rate_hz: float = 15.0
    width: int = 640
    height: int = 480
    fov_deg: float = 60.0
    people: int = 3
    cameras: int = 1
    seed: int = 0
    image: Literal["jpeg", "raw"] = "jpeg"
    depth: bool = False
    camera_motion: CameraMotion = "still"
    lens: str = "none"
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:  # NaN lies nowhere
                raise ValueError(f"{name} must lie between {low:,} and {high:,}, got {value:g}")
        if not all(map(math.isfinite, self.coefficients)):
            raise ValueError(f"the lens's coefficients must be finite, got {self.coefficients}")

    @property
    def frames(self) -> int:
        """Images of each camera."""
        return max(round(self.duration_s * self.rate_hz), 1)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of the cameras' topics."""
        if self.cameras == 1:
            return ("/camera",)
        return tuple(f"/camera_{index}" for index in range(self.cameras))


def write_scene_bag(
    path: Path,
    body: Body,
    config: SceneBagConfig | None = None,
    kind: BagFormat = "mcap",
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write a bag.

    Args:
        path: path of the bag, which must not exist yet.
        body: body model of all people.
        config: contents of the bag.
        kind: storage format.
        progress: called with 1 after each image.

    Raises:
        FileExistsError: the path exists.
        ValueError: an unknown lens model.
    """
    config = config or SceneBagConfig()
    rooms = [_Room(body, config, index) for index in range(config.cameras)]
    with BagWriter(path, kind) as writer:
        for index in range(config.frames):
            stamp_ns = START_NS + round(index * NS_PER_S / config.rate_hz)
            for room in rooms:
                room.write(writer, stamp_ns)
                if progress:
                    progress(1)


class _Room:
    """One scene, its camera and its topics."""

    def __init__(self, body: Body, config: SceneBagConfig, index: int) -> None:
        self._config, self._index = config, index
        self._namespace = config.namespaces[index]
        self._frame_id = f"{self._namespace[1:]}_optical_frame"
        self._scene = SyntheticScene(
            body,
            _camera_of(config),
            people=config.people,
            seed=config.seed + index,
            duration_s=config.duration_s,
            camera_motion=config.camera_motion,
            frame_id=self._frame_id,
        )
        self._placed = False

    def write(self, writer: BagWriter, stamp_ns: int) -> None:
        """Write the messages of a timestamp."""
        shot = self._scene.frame(stamp_ns - START_NS, depth=self._config.depth)
        header = header_message(writer.types, stamp_ns, self._frame_id)
        self._write_pose(writer, stamp_ns, shot)
        info = camera_info_message(writer.types, header, self._scene.camera)
        self._write(writer, stamp_ns, "camera_info", "camera_info", info)
        truth = self._truth_message(writer.types, header, shot)
        self._write(writer, stamp_ns, TRUTH_TOPIC, "person_array", truth)
        rgb, depth_m = shot.frame.rgb, shot.frame.depth_m
        if depth_m is not None:
            depth = depth_message(writer.types, header, depth_m)
            self._write(writer, stamp_ns, "depth_registered/image_raw", "image", depth)
        if self._config.image == "raw":
            image = image_message(writer.types, header, rgb)
            self._write(writer, stamp_ns, "image_raw", "image", image)
        else:
            jpeg = jpeg_message(writer.types, header, rgb)
            self._write(writer, stamp_ns, "image_raw/compressed", "compressed_image", jpeg)

    def _write(
        self, writer: BagWriter, stamp_ns: int, name: str, kind: str, message: Message
    ) -> None:
        writer.write(f"{self._namespace}/{name}", MESSAGE_NAMES[kind], stamp_ns, message)

    def _write_pose(self, writer: BagWriter, stamp_ns: int, shot: SceneFrame) -> None:
        """Write the camera's transform: once, or with each image if it moves."""
        still = self._config.camera_motion == "still"
        if still and self._placed:
            return
        self._placed = True
        types, pose = writer.types, shot.truth.world_from_camera.copy()
        header = header_message(types, stamp_ns, MAP_FRAME)
        pose[1, 3] += self._index * _ROOM_SPACING_M
        transform = transform_message(types, header, self._frame_id, pose)
        message = types.tf_message(transforms=[transform])
        topic = "/tf_static" if still else "/tf"
        writer.write(topic, MESSAGE_NAMES["tf_message"], stamp_ns, message, latched=still)

    def _truth_message(self, types: MessageTypes, header: Message, shot: SceneFrame) -> Message:
        people = people_from_truth(shot.truth, self._index * self._config.people)
        result = FrameResult(shot.frame.stamp_ns, self._frame_id, self._scene.camera, people)
        return person_array_message(types, header, TRUTH_MODEL, result, vertices=False)


def _camera_of(config: SceneBagConfig) -> Camera:
    camera = camera_from_field_of_view(config.width, config.height, config.fov_deg)
    return replace(camera, calibrated=True, lens=config.lens, coefficients=config.coefficients)

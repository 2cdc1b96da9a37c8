"""Bags of synthetic scenes, with ground truth.

Every camera has its own room. Topics are below `/camera`, or `/camera_<i>` for several cameras:
`image_raw` or `image_raw/compressed`, `camera_info`, `ground_truth/people`, and optionally
`depth_registered/image_raw`. The rooms are side by side in the frame `map`, z up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS
from smpler_model.cameras.messages import NS_PER_S, Message
from smpler_model.frames import FrameResult
from smpler_model.settings.setting import Settings, setting
from smpler_ros.bags.bag_writer import BagFormat, BagWriter
from smpler_ros.messages.convert import header_message, person_array_message, transform_message
from smpler_ros.messages.images import (
    camera_info_message,
    depth_message,
    image_message,
    jpeg_message,
)
from smpler_ros.messages.message_types import MESSAGE_NAMES, MessageTypes
from synthetic.scene import SyntheticScene
from synthetic.scene_kinds import CameraMotion
from synthetic.truth import SceneFrame, people_from_truth

START_NS = 1_700_000_000 * NS_PER_S
"""Timestamp of the first image; RViz would take a small one for simulated time."""

TRUTH_TOPIC = "ground_truth/people"
TRUTH_MODEL = "ground_truth"
MAP_FRAME = "map"

_ROOM_SPACING_M = 14.0


@dataclass(frozen=True, kw_only=True)
class SceneBagSettings(Settings):
    """Contents of a bag."""

    part: ClassVar[str] = "Scene"

    duration: float = setting(
        10.0, "Length of the bag and of the scene.", unit="s", minimum=0.001, maximum=86_400
    )
    rate: float = setting(
        15.0, "Frame rate of each camera.", unit="Hz", minimum=0.01, maximum=1_000
    )
    width: int = setting(640, "Image width.", unit="pixels", minimum=16, maximum=8_192)
    height: int = setting(480, "Image height.", unit="pixels", minimum=16, maximum=8_192)
    fov: float = setting(60.0, "Horizontal field of view.", unit="degrees", minimum=1, maximum=179)
    people: int = setting(3, "Number of people in each room.", minimum=0, maximum=64)
    cameras: int = setting(1, "Number of cameras, each in its own room.", minimum=1, maximum=64)
    seed: int = setting(
        0,
        "Random seed of the rooms, the people and their motions; rooms have consecutive seeds.",
        minimum=0,
        maximum=2**31 - 1,
    )
    image: Literal["jpeg", "raw"] = setting("jpeg", "How images are stored.")
    depth: bool = setting(False, "Also write depth images aligned with the images.")
    camera_motion: CameraMotion = setting(
        "still", "Whether the cameras are still, pan, or drive back and forth."
    )
    lens: str = setting(
        "none", "Distortion model of the cameras.", choices=tuple(COEFFICIENT_COUNTS)
    )
    coefficients: tuple[float, ...] = setting((), "Coefficients of the lens, in OpenCV's order.")

    @property
    def frames(self) -> int:
        """Number of images per camera."""
        return max(round(self.duration * self.rate), 1)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of the cameras' topics."""
        if self.cameras == 1:
            return ("/camera",)
        return tuple(f"/camera_{index}" for index in range(self.cameras))


def write_scene_bag(
    path: Path,
    body: Body,
    config: SceneBagSettings | None = None,
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
    config = config or SceneBagSettings()
    rooms = [_Room(body, config, index) for index in range(config.cameras)]
    with BagWriter(path, kind) as writer:
        for index in range(config.frames):
            stamp_ns = START_NS + round(index * NS_PER_S / config.rate)
            for room in rooms:
                room.write(writer, stamp_ns)
                if progress:
                    progress(1)


class _Room:
    """One scene with its camera and topics."""

    def __init__(self, body: Body, config: SceneBagSettings, index: int) -> None:
        self._config, self._index = config, index
        self._namespace = config.namespaces[index]
        self._frame_id = f"{self._namespace[1:]}_optical_frame"
        self._scene = SyntheticScene(
            body,
            _camera_of(config),
            people=config.people,
            seed=config.seed + index,
            duration_s=config.duration,
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


def _camera_of(config: SceneBagSettings) -> Camera:
    camera = camera_from_field_of_view(config.width, config.height, config.fov)
    return replace(camera, calibrated=True, lens=config.lens, coefficients=config.coefficients)

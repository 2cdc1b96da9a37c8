"""Small real bags."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

from smpler_model.cameras.messages import Message

FORMS = ("mcap", "mcap-zstd", "sqlite3", "sqlite3-file-zstd", "sqlite3-message-zstd", "rosbag1")
WIDTH, HEIGHT = 32, 24
STEP_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Sent:
    """A message to write, and its recording time, which may differ from its timestamp."""

    topic: str
    message: Message
    time_ns: int


class Messages:
    """Messages of ROS 1 or 2."""

    def __init__(self, *, ros1: bool = False) -> None:
        self.ros1 = ros1
        self.store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.LATEST)
        self._types = self.store.types

    def header(self, stamp_ns: int, frame_id: str = "optical") -> Message:
        stamp = self._types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        first = {"seq": 0} if self.ros1 else {}
        return self._types["std_msgs/msg/Header"](**first, stamp=stamp, frame_id=frame_id)

    def image(self, stamp_ns: int, pixels: np.ndarray, encoding: str = "rgb8") -> Message:
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
        step = len(data) // height
        kind = self._types["sensor_msgs/msg/Image"]
        return kind(self.header(stamp_ns), height, width, encoding, 0, step, data)

    def disparity(self, stamp_ns: int, pixels: np.ndarray) -> Message:
        """A message whose type has a name like an image's."""
        header, image = self.header(stamp_ns), self.image(stamp_ns, pixels, "32FC1")
        region = self._types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        kind = self._types["stereo_msgs/msg/DisparityImage"]
        return kind(header, image, 40.0, 0.1, region, 0.0, 64.0, 0.125)

    def compressed(self, stamp_ns: int, pixels: np.ndarray) -> Message:
        _, content = cv2.imencode(".png", pixels[..., ::-1])
        kind = self._types["sensor_msgs/msg/CompressedImage"]
        return kind(self.header(stamp_ns), "rgb8; png compressed bgr8", content.reshape(-1))

    def info(
        self, stamp_ns: int, focal: float = 40.0, size: tuple[int, int] = (32, 24)
    ) -> Message:
        k = np.array([focal, 0, 15.5, 0, focal, 11.5, 0, 0, 1])
        p = np.array([focal, 0, 15.5, 0, 0, focal, 11.5, 0, 0, 0, 1, 0])
        r = np.eye(3).reshape(-1)
        region = self._types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        kind = self._types["sensor_msgs/msg/CameraInfo"]
        lens = ("plumb_bob", np.zeros(5))
        width, height = size
        return kind(self.header(stamp_ns), height, width, *lens, k, r, p, 0, 0, region)


def picture(index: int) -> np.ndarray:
    """An image that encodes its index, (24, 32, 3)."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 0] = index
    pixels[:, : WIDTH // 2, 1] = 200
    return pixels


def camera_messages(count: int = 10, *, ros1: bool = False, topic: str = "/cam") -> list[Sent]:
    """Images and CameraInfo at 10 Hz."""
    make = Messages(ros1=ros1)
    sent = []
    for index in range(count):
        stamp = START_NS + index * STEP_NS
        image = make.image(stamp, picture(index))
        sent.append(Sent(f"{topic}/camera_info", make.info(stamp), stamp + 5_000_000))
        sent.append(Sent(f"{topic}/image_raw", image, stamp + 6_000_000))
    return sent


def write_bag(folder: Path, sent: Sequence[Sent], form: str = "mcap") -> Path:
    """Write messages in the given order, and return the bag's path."""
    if form == "rosbag1":
        return _write_rosbag1(folder / "bag.bag", sent)
    storage, _, compression = form.partition("-")
    path, store = folder / "bag", get_typestore(Stores.LATEST)
    writer = Writer2(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    modes = {
        "": CompressionMode.NONE,
        "zstd": CompressionMode.STORAGE,
        "file-zstd": CompressionMode.FILE,
        "message-zstd": CompressionMode.MESSAGE,
    }
    writer.set_compression(modes[compression], CompressionFormat.ZSTD)
    with writer:
        connections = {
            each.topic: writer.add_connection(
                each.topic, each.message.__msgtype__, typestore=store
            )
            for each in {each.topic: each for each in sent}.values()
        }
        for each in sent:
            data = store.serialize_cdr(each.message, each.message.__msgtype__)
            writer.write(connections[each.topic], each.time_ns, data)
    return path


def _write_rosbag1(path: Path, sent: Sequence[Sent]) -> Path:
    store = get_typestore(Stores.ROS1_NOETIC)
    with Writer1(path) as writer:
        connections = {
            each.topic: writer.add_connection(
                each.topic, each.message.__msgtype__, typestore=store
            )
            for each in {each.topic: each for each in sent}.values()
        }
        for each in sent:
            data = store.serialize_ros1(each.message, each.message.__msgtype__)
            writer.write(connections[each.topic], each.time_ns, data)
    return path


def storage_file(path: Path) -> Path:
    """Return the file that contains the messages."""
    if path.is_file():
        return path
    (file,) = [each for each in path.iterdir() if each.name != "metadata.yaml"]
    return file

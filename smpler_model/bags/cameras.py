"""Assigns a bag's topics to cameras by type, name and content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from smpler_model.bags.storage import Topic
from smpler_model.cameras.encodings import DEFAULT_YUV422, DEPTH_ENCODINGS, Yuv422
from smpler_model.cameras.messages import NS_PER_S, Message, is_compressed
from smpler_model.settings.bag import BagSettings
from smpler_model.source import SourceError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

DEPTH_TOLERANCE_NS = 20_000_000
"""Default tolerance between the timestamps of an image and its depth image."""

_TRANSPORTS = ("compressed", "compressedDepth")
_ALIGNED = ("aligned", "registered")

FirstMessage = Callable[[str], Message | None]


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera.

    Attributes:
        image: topic of the colour images, raw or compressed.
        type: message type of the images.
        count: number of images.
        info: topic of their CameraInfo, None for none.
        depth: topic of depth images aligned with the images, None for none.
        rectified: whether the images are rectified.
        depth_tolerance_ns: largest difference between the timestamps of an image and its depth.
        yuv422: byte order of images with the encoding `yuv422`.
    """

    image: str
    type: str
    count: int
    info: str | None = None
    depth: str | None = None
    rectified: bool = False
    depth_tolerance_ns: int = DEPTH_TOLERANCE_NS
    yuv422: Yuv422 = DEFAULT_YUV422


def with_settings(camera: CameraTopics, settings: BagSettings) -> CameraTopics:
    """Return a camera with the user's settings applied.

    Raises:
        SourceError: depth is required but missing.
    """
    wants_depth = settings.wants_depth
    if wants_depth and camera.depth is None:
        raise SourceError(
            f"use_depth needs depth images that are aligned with {camera.image}, got none; "
            "name their topic, or unset use_depth"
        )
    return replace(
        camera,
        depth=None if wants_depth is False else camera.depth,
        rectified=camera.rectified if settings.rectified is None else settings.rectified,
        depth_tolerance_ns=round(settings.pairing_tolerance * NS_PER_S),
        yuv422=settings.yuv422,
    )


def find_cameras(
    topics: Mapping[str, Topic], first_message: FirstMessage
) -> tuple[CameraTopics, ...]:
    """Return the cameras with colour images.

    Args:
        topics: topics of the bag, by name.
        first_message: returns the first message of a topic.
    """
    images = {
        name: topic
        for name, topic in topics.items()
        if topic.type in (IMAGE, COMPRESSED)
        and topic.count
        and not _is_depth(name, first_message(name))
    }
    chosen = {
        name: topic
        for name, topic in images.items()
        # Raw images are lossless and need no decompression.
        if name == _without_transport(name) or _without_transport(name) not in images
    }
    cameras = []
    for name, topic in chosen.items():
        info, rectified = find_info(name, topics, alone=len(chosen) == 1)
        depth = find_depth(name, topics, first_message)
        cameras.append(CameraTopics(name, topic.type, topic.count, info, depth, rectified))
    return tuple(cameras)


def find_info(image: str, topics: Mapping[str, Topic], *, alone: bool) -> tuple[str | None, bool]:
    """Return the CameraInfo topic of an image topic, and whether the images are rectified.

    By ROS's convention it is called `camera_info` and has the images' namespace. librealsense
    records `image/data` and `info/camera_info`. A single camera may have a single CameraInfo
    elsewhere.
    """
    base = _without_transport(image)
    infos = [name for name, topic in topics.items() if topic.type == CAMERA_INFO and topic.count]
    rectified = is_rectified(base)
    beside = base.rpartition("/")[0]
    for name in (
        *(f"{beside}/camera_info", f"{base}/camera_info"),
        f"{beside.rpartition('/')[0]}/info/camera_info",
    ):
        if name in infos:
            return name, rectified
    return (infos[0] if alone and len(infos) == 1 else None), rectified


def find_depth(image: str, topics: Mapping[str, Topic], first_message: FirstMessage) -> str | None:
    """Return the topic of depth images aligned with those of an image topic; None if none is.

    An aligned topic has the same first part of the name, contains `aligned` or `registered`, and
    its images have the same size and optical frame. Of several, it is the one whose name shares
    the most leading parts.
    """
    device = image.split("/")[1] if image.startswith("/") else image.split("/")[0]
    found = {}
    for name, topic in topics.items():
        parts = name.strip("/").split("/")
        aligned = any(word in part for part in parts for word in _ALIGNED)
        if topic.type != IMAGE or not topic.count or parts[0] != device or not aligned:
            continue
        message = first_message(name)
        if message is None or not _is_depth(name, message):
            continue
        if _is_alike(message, first_message(image)):
            found[name] = shared_parts(image, name)
    nearest = [name for name, shared in found.items() if shared == max(found.values())]
    return nearest[0] if len(nearest) == 1 else None


def shared_parts(first: str, second: str) -> int:
    """Return the number of equal leading parts of two topics' names."""
    parts = zip(first.strip("/").split("/"), second.strip("/").split("/"), strict=False)
    count = 0
    for one, other in parts:
        if one != other:
            break
        count += 1
    return count


def _is_depth(name: str, message: Message | None) -> bool:
    if message is None:
        return "depth" in name.lower()
    if is_compressed(message):
        original = message.format.partition(";")[0].strip()
        return "compressedDepth" in message.format or original in DEPTH_ENCODINGS
    if message.encoding == "mono16":  # depth from older drivers, or a thermal camera
        return "depth" in name.lower()
    return message.encoding in DEPTH_ENCODINGS


def _is_alike(depth: Message, image: Message | None) -> bool:
    """Return whether sizes and optical frames are equal, as far as they are known."""
    if image is None:
        return True
    frames = {each.header.frame_id.lstrip("/") for each in (depth, image)} - {""}
    if is_compressed(image):
        return len(frames) < 2
    same_size = (depth.width, depth.height) == (image.width, image.height)
    return len(frames) < 2 and bool(same_size)


def is_rectified(image: str) -> bool:
    """Return whether a topic has rectified images, by the parts of its name.

    `image_proc` calls them image_rect and image_rect_color; some drivers have a namespace `rect`.
    """
    parts = image.split("/")
    return any(part == "rect" or part.startswith("image_rect") for part in parts)


def namespace_of(image: str) -> str:
    """Return the namespace of an image topic: `/front` of `/front/image_raw/compressed`."""
    return _without_transport(image).rpartition("/")[0]


def _without_transport(name: str) -> str:
    base, _, last = name.rpartition("/")
    return base if last in _TRANSPORTS else name

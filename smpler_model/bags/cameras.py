"""Which topics of a bag belong to a camera, by type, name and content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from smpler_model.bags.storage import Topic
from smpler_model.cameras.encodings import DEFAULT_YUV422, DEPTH_ENCODINGS, Yuv422
from smpler_model.cameras.messages import NS_PER_S, Message, is_compressed
from smpler_model.source import SourceError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

WITHOUT = "none"
"""Name of a topic that is not to be read."""

DEPTH_TOLERANCE_NS = 20_000_000
"""A depth image belongs to an image that was taken within this time, unless told otherwise."""

_TRANSPORTS = ("compressed", "compressedDepth")
_ALIGNED = ("aligned", "registered")

FirstMessage = Callable[[str], Message | None]


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera.

    Attributes:
        image: of its colour images, raw or compressed.
        type: of the images' messages.
        count: of images.
        info: of their CameraInfo, None for none.
        depth: of depth images that are aligned with the images, None for none.
        rectified: whether the images are rectified.
        depth_tolerance_ns: how far the stamps of an image and of its depth may be apart.
        yuv422: the order of the bytes in images that are labelled `yuv422`.
    """

    image: str
    type: str
    count: int
    info: str | None = None
    depth: str | None = None
    rectified: bool = False
    depth_tolerance_ns: int = DEPTH_TOLERANCE_NS
    yuv422: Yuv422 = DEFAULT_YUV422


@dataclass(frozen=True)
class CameraSettings:
    """What a user says of the cameras of a bag; None where the bag speaks for itself.

    Attributes:
        rectified: whether the images are rectified; by default their name tells.
        use_depth: whether to take distances from depth images; by default where there are any.
        pairing_tolerance: how far the stamps of an image and of its depth may be apart, seconds.
        yuv422: the order of the bytes in images that are labelled `yuv422`.
    """

    rectified: bool | None = None
    use_depth: bool | None = None
    pairing_tolerance: float = DEPTH_TOLERANCE_NS / NS_PER_S
    yuv422: Yuv422 = DEFAULT_YUV422

    def apply(self, camera: CameraTopics) -> CameraTopics:
        """Return a camera as the user says it is.

        Raises:
            SourceError: depth is wanted where there is none.
        """
        if self.use_depth and camera.depth is None:
            raise SourceError(
                f"use_depth needs depth images that are aligned with {camera.image}, got none; "
                "name their topic, or leave use_depth out"
            )
        return replace(
            camera,
            depth=None if self.use_depth is False else camera.depth,
            rectified=camera.rectified if self.rectified is None else self.rectified,
            depth_tolerance_ns=round(self.pairing_tolerance * NS_PER_S),
            yuv422=self.yuv422,
        )


def camera_settings(said: Mapping[str, Any], depth_topic: str = "") -> CameraSettings:
    """Return what flags and files say of cameras.

    Args:
        said: values by the parameters' names, as far as there are any.
        depth_topic: a name goes before `use_depth`; so does `none`.
    """
    settings = CameraSettings(
        **{f.name: said[f.name] for f in fields(CameraSettings) if f.name in said}
    )
    return replace(settings, use_depth=depth_topic != WITHOUT) if depth_topic else settings


def find_cameras(
    topics: Mapping[str, Topic], first_message: FirstMessage
) -> tuple[CameraTopics, ...]:
    """Return the cameras of which there are colour images.

    Args:
        topics: of the bag, by name.
        first_message: gives the first message of a topic.
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
        # The raw images hold more, and need no decoding.
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

    By ROS's convention it is called `camera_info` and lies beside the images. An only camera may
    have an only CameraInfo elsewhere.
    """
    base = _without_transport(image)
    infos = [name for name, topic in topics.items() if topic.type == CAMERA_INFO and topic.count]
    rectified = is_rectified(base)
    for name in (f"{base.rpartition('/')[0]}/camera_info", f"{base}/camera_info"):
        if name in infos:
            return name, rectified
    return (infos[0] if alone and len(infos) == 1 else None), rectified


def find_depth(image: str, topics: Mapping[str, Topic], first_message: FirstMessage) -> str | None:
    """Return the only depth topic of an image topic's camera, if it is aligned with the images.

    It shares the first part of the name, says `aligned` or `registered`, and is as large.
    """
    device = image.split("/")[1] if image.startswith("/") else image.split("/")[0]
    found = []
    for name, topic in topics.items():
        parts = name.strip("/").split("/")
        aligned = any(word in part for part in parts for word in _ALIGNED)
        if topic.type != IMAGE or not topic.count or parts[0] != device or not aligned:
            continue
        message = first_message(name)
        if _is_depth(name, message) and _same_size(message, first_message(image)):
            found.append(name)
    return found[0] if len(found) == 1 else None


def _is_depth(name: str, message: Message | None) -> bool:
    if message is None:
        return "depth" in name.lower()
    if is_compressed(message):
        original = message.format.partition(";")[0].strip()
        return "compressedDepth" in message.format or original in DEPTH_ENCODINGS
    if message.encoding == "mono16":  # depth of older drivers, or the image of a thermal camera
        return "depth" in name.lower()
    return message.encoding in DEPTH_ENCODINGS


def _same_size(depth: Message, image: Message | None) -> bool:
    """Tell whether sizes are equal, as far as the messages say them."""
    if image is None or is_compressed(image):
        return True
    return bool((depth.width, depth.height) == (image.width, image.height))


def is_rectified(image: str) -> bool:
    """Tell whether a topic of images is one of rectified ones, by the parts of its name.

    `image_proc` calls them image_rect and image_rect_color; some drivers have a namespace `rect`.
    """
    parts = image.split("/")
    return any(part == "rect" or part.startswith("image_rect") for part in parts)


def namespace_of(image: str) -> str:
    """Return where the images of a topic lie: `/front` of `/front/image_raw/compressed`."""
    return _without_transport(image).rpartition("/")[0]


def _without_transport(name: str) -> str:
    base, _, last = name.rpartition("/")
    return base if last in _TRANSPORTS else name

"""Frames from one camera's messages, with warnings about them, each given once."""

from collections.abc import Sequence
from dataclasses import dataclass

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.camera_info import Size
from smpler_model.cameras.depth import Metres
from smpler_model.cameras.encodings import DEFAULT_YUV422, Yuv422
from smpler_model.cameras.messages import (
    Message,
    camera_from_info,
    decode_depth,
    decode_image,
    stamp_ns_of,
)
from smpler_model.frames import Frame
from smpler_model.notices import Notify

_NAMELESS = "camera"
_DEPTH = "depth"  # the kind of warnings about it


@dataclass(frozen=True)
class ImageSettings:
    """Properties of a camera's images that messages do not state.

    Attributes:
        rectified: whether the images are rectified.
        yuv422: byte order of images with the encoding `yuv422`.
    """

    rectified: bool = False
    yuv422: Yuv422 = DEFAULT_YUV422


def name_frame(given: str, camera: str) -> str:
    """Return a frame id as TF requires it: not empty and without a leading slash.

    Args:
        given: the image's frame id.
        camera: name of the camera, which names the frame of images without a frame id.
    """
    return given.lstrip("/") or camera.strip("/").replace("/", "_") or _NAMELESS


class FrameReader:
    """Makes frames from messages, in the same way for the live node, bags and the command line.

    Faults that make an image unusable are raised. Others cause a warning, once: unusable depth, an
    unknown lens model, a missing frame id. State: the warnings given so far.
    """

    def __init__(
        self,
        settings: ImageSettings | None = None,
        say: Notify | None = None,
        *,
        name: str = "",
        is_live: bool = False,
    ) -> None:
        """Create a reader.

        Args:
            settings: properties of the images.
            say: called with warnings.
            name: name of the camera, used as frame id of images without one.
            is_live: whether unusable depth is named again once usable depth has come.
        """
        self._settings = settings or ImageSettings()
        self._say = say
        self._name = name
        self._is_live = is_live
        self._said: set[str] = set()

    def read(
        self, image: Message, infos: Sequence[Message] = (), depth: Message | None = None
    ) -> Frame:
        """Return the frame for the pipeline, with the image's timestamp and frame id.

        Args:
            image: a `sensor_msgs/Image` or `CompressedImage`.
            infos: the camera's `sensor_msgs/CameraInfo`s, the newest last; the one that fits the
                image's size is used.
            depth: an aligned depth image, raw or compressed; None if there is none.

        Raises:
            ValueError: the image cannot be decoded, or no calibration fits it.
        """
        rgb = decode_image(image, yuv422=self._settings.yuv422, note=self._note)
        size = rgb.shape[1], rgb.shape[0]
        return Frame(
            rgb=rgb,
            stamp_ns=stamp_ns_of(image),
            frame_id=self._frame_id(image.header.frame_id),
            camera=self._find_camera(infos, size),
            depth_m=None if depth is None else self._read_depth(depth, size),
        )

    def _find_camera(self, infos: Sequence[Message], size: Size) -> Camera | None:
        """Return the newest camera for images of this size; if there is none, the newest."""
        newest: Camera | None = None
        for index, info in enumerate(reversed(infos)):
            notes: list[str] = []
            rectified = self._settings.rectified
            camera = camera_from_info(
                info, rectified=rectified, image_size=size, note=notes.append
            )
            if camera is not None and (camera.width, camera.height) == size:
                for sentence in notes:
                    self._note(sentence)
                return camera
            newest = camera if index == 0 else newest
        return newest

    def _read_depth(self, message: Message, size: Size) -> Metres | None:
        try:
            depth_m = decode_depth(message)
        except ValueError as error:
            self._note(f"depth is not used: {error}", kind=_DEPTH)
            return None
        if depth_m.shape != size[::-1]:
            self._note(
                f"depth is not used: it must be as large as the image, "
                f"{size[0]}x{size[1]}, got {depth_m.shape[1]}x{depth_m.shape[0]}; register it to "
                "the image",
                kind=_DEPTH,
            )
            return None
        if self._is_live:
            self._said.discard(_DEPTH)
        return depth_m

    def _frame_id(self, given: str) -> str:
        """Return the image's frame id as TF requires it."""
        frame_id = name_frame(given, self._name)
        if not given.lstrip("/"):
            self._note(
                f"images must name their frame, got an empty frame_id, and results use "
                f"'{frame_id}'; set frame_id in the camera's driver"
            )
        elif frame_id != given:
            self._note(
                f"frame ids must not begin with a slash in ROS 2, got '{given}', and results "
                f"use '{frame_id}'; fix the driver's frame_id"
            )
        return frame_id

    def _note(self, sentence: str, kind: str = "") -> None:
        """Give a warning once; of each kind, only the first one."""
        if (kind or sentence) in self._said:
            return
        self._said.add(kind or sentence)
        if self._say:
            self._say(sentence)

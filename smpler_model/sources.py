"""Frames from images, folders of them, video files and cameras: all the same to the pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.camera import Camera
from smpler_model.frames import Frame

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_FOLDER_RATE_HZ = 30.0


class SourceError(ValueError):
    """An input cannot be read; the message says what was expected, what came, what to do."""


@dataclass(frozen=True)
class Source:
    """An input that gives frames.

    Attributes:
        frames: in order; a `SourceError` ends them where the input breaks off.
        count: how many there should be; None where nobody knows.
        rate_hz: of the frames.
        is_sequence: whether the frames show one scene, so that people can be tracked.
    """

    frames: Iterator[Frame]
    count: int | None
    rate_hz: float
    is_sequence: bool


@contextmanager
def open_source(name: str, camera: Camera | None = None) -> Iterator[Source]:
    """Open an input, and close it in the end.

    Args:
        name: of an image, a folder of images, a video file, or the number of a camera.
        camera: calibration of what took the images, if known.

    Raises:
        SourceError: there is no such input, or nothing that can be read.
    """
    path = Path(name)
    if name.isdigit():
        yield from _open_video(int(name), f"camera {name}", camera)
    elif path.is_dir():
        yield _folder(path, camera)
    elif not path.exists():
        raise SourceError(
            f"the input must be a file, a folder or a camera number, got {name}; check the path"
        )
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        yield Source(_images([path], camera), 1, _FOLDER_RATE_HZ, is_sequence=False)
    else:
        yield from _open_video(name, name, camera)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (h, w, 3) uint8 RGB.

    Raises:
        SourceError: the file is no image.
    """
    content = np.fromfile(path, np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if image is None:
        raise SourceError(f"{path} must be an image file, got something else; remove or repair it")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _folder(folder: Path, camera: Camera | None) -> Source:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise SourceError(
            f"{folder} must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}), got none; check "
            "the path"
        )
    return Source(_images(paths, camera), len(paths), _FOLDER_RATE_HZ, is_sequence=True)


def _images(paths: list[Path], camera: Camera | None) -> Iterator[Frame]:
    for index, path in enumerate(paths):
        yield Frame(read_image(path), round(index * 1e9 / _FOLDER_RATE_HZ), camera=camera)


def _open_video(name: str | int, title: str, camera: Camera | None) -> Iterator[Source]:
    capture = cv2.VideoCapture(name)
    try:
        if not capture.isOpened():
            raise SourceError(
                f"{title} must be a video that OpenCV can decode, got something else; convert it, "
                "for example to H.264 in .mp4"
            )
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        rate_hz = rate_hz if 0 < rate_hz < 1000 else _FOLDER_RATE_HZ
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        count = promised if promised > 0 else None
        frames = _video_frames(capture, title, count, rate_hz, camera)
        yield Source(frames, count, rate_hz, is_sequence=True)
    finally:
        capture.release()


def _video_frames(
    capture: cv2.VideoCapture, title: str, count: int | None, rate_hz: float, camera: Camera | None
) -> Iterator[Frame]:
    """Give frames at the file's steady rate, which is what its players show."""
    index = 0
    while True:
        arrived, bgr = capture.read()
        if not arrived:
            break
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        yield Frame(rgb, round(index * 1e9 / rate_hz), camera=camera)
        index += 1
    if index == 0 or (count is not None and index < 0.9 * count):
        raise SourceError(
            f"{title} must have {count or 'some'} frames, got {index} before it broke off; what "
            "was read so far is kept"
        )

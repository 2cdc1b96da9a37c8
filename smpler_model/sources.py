"""Frames from images, folders of images, videos, bags and cameras, behind one interface."""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import RgbImage
from smpler_model.bags.cameras import with_settings
from smpler_model.bags.files import check_one_recording
from smpler_model.bags.reader import is_bag, open_bag
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.encodings import ImageError, decode_picture
from smpler_model.cameras.picture_header import PictureHeader, read_header
from smpler_model.cameras.turning import turn_camera, turn_image
from smpler_model.frames import Frame
from smpler_model.library_messages import silence_video_libraries
from smpler_model.native_paths import native_path
from smpler_model.notices import Notify
from smpler_model.settings.bag import WITHOUT, BagSettings
from smpler_model.source import Source, SourceError, camera_number
from smpler_model.video_files import is_cut

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_FOLDER_RATE_HZ = 30.0
_NEARLY = 0.9  # of the frames that a video's header states, which may be rounded


class ReadCamera(Protocol):
    """Reads a calibration once it is known whether the images are rectified."""

    def __call__(self, *, rectified: bool) -> Camera:
        """Return the calibration for images that are rectified or not."""


@contextmanager
def open_source(
    name: str,
    camera: Camera | ReadCamera | None = None,
    *,
    image_topic: str = "",
    settings: BagSettings | None = None,
    report: Notify | None = None,
) -> Iterator[Source]:
    """Open an input; it is closed on leaving the context.

    Args:
        name: path of an image, a folder of images, which are read in the order of their names
            (`2.png` before `10.png`), a video file or a bag, or the number of a camera.
        camera: calibration of the images' camera, or what reads it, if known; it takes precedence
            over a bag's.
        image_topic: image topic in a bag; if empty, the only one.
        settings: how a bag is read.
        report: called with a message for each unreadable image that is left out, and with
            warnings; if None, both are logged as warnings.

    Raises:
        SourceError: there is no such input, or nothing of it can be read.
        ValueError: the calibration is invalid.
        OSError: a file cannot be read.
    """
    path, report = Path(native_path(name)), report or logging.getLogger(__name__).warning
    settings = settings or BagSettings()
    number = camera_number(name)
    if number is None and (not name or not path.exists()):
        raise SourceError(
            f"the input must be a file, a folder or a camera number, got {name or 'nothing'}; "
            "give an existing video, image, folder of images or bag, or 0 for the first camera"
        )
    if number is None and is_bag(path):
        yield from _open_bag(path, camera, image_topic, settings, report)
        return
    _check_unneeded(name, image_topic, settings)
    calibration = _read_calibration(camera, rectified=bool(settings.rectified))
    if number is not None:
        yield from _open_video(number, f"camera {name}", calibration, report)
    elif path.is_dir():
        yield _folder(path, calibration, report)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        frame = _read_frame(path, 0, calibration)
        names = {frame.stamp_ns: path.stem}
        yield Source(iter([frame]), 1, _FOLDER_RATE_HZ, is_sequence=False, names=names)
    else:
        yield from _open_video(name, name, calibration, report)


def _read_calibration(camera: Camera | ReadCamera | None, *, rectified: bool) -> Camera | None:
    return camera if camera is None or isinstance(camera, Camera) else camera(rectified=rectified)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (h, w, 3) uint8 RGB, rotated according to EXIF.

    Raises:
        SourceError: the file is no image.
        OSError: it cannot be read.
    """
    return _read_stored(path)[0]


def _read_frame(path: Path, stamp_ns: int, camera: Camera | None) -> Frame:
    """Return the frame of an image file, rotated according to EXIF together with its calibration.

    Calibrations are of the sensor, before the EXIF rotation. One that fits only the size of the
    rotated image was made with rotated images.

    Raises:
        ValueError: the file is no image, or not of the calibration's size.
        OSError: it cannot be read.
    """
    rgb, header = _read_stored(path)
    if camera is not None and (camera.width, camera.height) == (header.width, header.height):
        camera = turn_camera(camera, header.orientation)
    return Frame(rgb, stamp_ns, camera=camera)


def _read_stored(path: Path) -> tuple[RgbImage, PictureHeader]:
    """Return the image in a file, rotated according to EXIF, and its header."""
    content = np.fromfile(path, np.uint8)
    try:
        image = decode_picture(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except ImageError as error:
        raise SourceError(f"{path}: {error}") from None
    header = read_header(content)
    if image is None or header is None:
        got = "something else" if len(content) else "an empty one"
        raise SourceError(f"{path} must be an image file, got {got}; remove or repair it")
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    return turn_image(rgb, header.orientation), header


def _check_unneeded(name: str, image_topic: str, settings: BagSettings) -> None:
    """Refuse topics and depth for an input without topics."""
    named = {image_topic, settings.info_topic, settings.depth_topic} - {"", WITHOUT}
    if named or settings.use_depth:
        raise SourceError(
            f"{name} must be a bag to have topics and depth images, and is none; give a bag, "
            "or leave topics and use_depth out"
        )


def _folder(folder: Path, camera: Camera | None, report: Notify) -> Source:
    images = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    paths = sorted(images, key=_natural_order)
    if not paths:
        check_one_recording(folder)
        raise SourceError(
            f"{folder} must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}) or a bag, got "
            "neither; give the folder that directly holds them"
        )
    stamps = [round(index * 1e9 / _FOLDER_RATE_HZ) for index in range(len(paths))]
    frames = _images(dict(zip(stamps, paths, strict=True)), camera, report)
    names = dict(zip(stamps, _frame_names(paths), strict=True))
    return Source(frames, len(paths), _FOLDER_RATE_HZ, is_sequence=True, names=names)


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a key that sorts files by name, with the numbers in names by their values."""
    parts = re.split(r"(\d+)", path.name)  # texts and numbers in turn
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _frame_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each image: without its suffix unless names would be equal."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(paths) else [path.name for path in paths]


def _images(paths: dict[int, Path], camera: Camera | None, report: Notify) -> Iterator[Frame]:
    read = 0
    for stamp_ns, path in paths.items():
        try:
            frame = _read_frame(path, stamp_ns, camera)
        except (ValueError, OSError) as error:
            report(f"an image is left out: {error}")
            continue
        read += 1
        yield frame
    if not read:
        raise SourceError(
            f"the folder must hold readable images, got none among {len(paths)}; repair or "
            "replace those named above"
        )


def _open_bag(
    path: Path,
    camera: Camera | ReadCamera | None,
    image_topic: str,
    settings: BagSettings,
    report: Notify,
) -> Iterator[Source]:
    with open_bag(path) as bag:
        topics = bag.choose_camera(image_topic, settings.info_topic, settings.depth_topic)
        chosen = with_settings(topics, settings)
        rate_hz = bag.rate_hz(chosen) or _FOLDER_RATE_HZ
        calibration = _read_calibration(camera, rectified=chosen.rectified)
        if calibration is not None:
            chosen = replace(chosen, info=None)

        def tell(topic: str, sentence: str) -> None:
            report(f"{topic}: {sentence}")

        frames = bag.read_frames([chosen], report=tell, note=tell)
        placed = (
            frame if calibration is None else replace(frame, camera=calibration)
            for _, frame in frames
        )
        rate_hz = min(max(rate_hz, 0.1), 1000.0)
        yield Source(placed, chosen.count, rate_hz, is_sequence=True, image_topic=chosen.image)


def _open_video(
    name: str | int, title: str, camera: Camera | None, report: Notify
) -> Iterator[Source]:
    silence_video_libraries()
    capture = cv2.VideoCapture(name)
    try:
        if not capture.isOpened() and isinstance(name, int):
            raise SourceError(
                f"{title} must be one that OpenCV can open, got none of this number; check that "
                "it is connected and not in use, or give a path"
            )
        if not capture.isOpened():
            raise SourceError(
                f"{title} must be a video that OpenCV can decode, got something else; convert it, "
                "for example to H.264 in .mp4"
            )
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        rate_hz = rate_hz if 0 < rate_hz < 1000 else _FOLDER_RATE_HZ
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        is_live = isinstance(name, int)
        count = promised if promised > 0 and not is_live else None
        path = None if is_live else Path(str(name))
        film = _Film(title, path, count, None if is_live else rate_hz)
        frames = _video_frames(capture, film, camera, report)
        yield Source(frames, count, rate_hz, is_sequence=True, is_live=is_live)
    finally:
        capture.release()


@dataclass(frozen=True)
class _Film:
    """A video, or a camera's stream.

    Attributes:
        title: name in error messages.
        path: path of the file; None for a camera.
        count: number of frames according to the file's header; None if unknown.
        rate_hz: frame rate of the file; None for a camera.
    """

    title: str
    path: Path | None
    count: int | None
    rate_hz: float | None


def _video_frames(
    capture: cv2.VideoCapture, film: _Film, camera: Camera | None, report: Notify
) -> Iterator[Frame]:
    """Yield frames at the file's steady rate, as players show them; a camera's at current time."""
    index = 0
    while True:
        arrived, bgr = capture.read()
        if not arrived:
            break
        stamp_ns = time.time_ns() if film.rate_hz is None else round(index * 1e9 / film.rate_hz)
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        yield Frame(rgb, stamp_ns, camera=camera)
        index += 1
    _check_end(film, index, report)


def _check_end(film: _Film, got: int, report: Notify) -> None:
    """Distinguish a truncated video from one with fewer frames than its header states.

    For images at a variable rate, the stated number is duration times rate.

    Raises:
        SourceError: it is truncated: frames are missing, and its file is shorter than it should be
            or has less than half of them.
    """
    if got and (film.count is None or got >= film.count):
        return
    if film.path is None or film.count is None or 2 * got < film.count or is_cut(film.path):
        raise SourceError(
            f"{film.title} must have {film.count or 'some'} frames, got {got} before it was "
            "truncated; what was read so far is kept"
        )
    if got < _NEARLY * film.count:
        report(
            f"{film.title} states {film.count} frames and has {got}, as is common for variable "
            "frame rates; all of them were read"
        )

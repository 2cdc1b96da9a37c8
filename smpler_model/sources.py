"""Frames from images, folders of them, videos, bags and cameras: all the same to the pipeline."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.bags.cameras import WITHOUT, CameraSettings
from smpler_model.bags.files import check_one_recording
from smpler_model.bags.reader import is_bag, open_bag
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.encodings import decode_picture
from smpler_model.frames import Frame
from smpler_model.source import Report, Source, SourceError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_FOLDER_RATE_HZ = 30.0


@dataclass(frozen=True)
class TopicNames:
    """Which topics of a bag to read; empty names are found, `none` means without.

    Attributes:
        image: of the images.
        info: of their CameraInfo.
        depth: of the aligned depth images.
        settings: what is known of the camera besides.
    """

    image: str = ""
    info: str = ""
    depth: str = ""
    settings: CameraSettings = field(default_factory=CameraSettings)

    def check_unneeded(self, name: str) -> None:
        """Refuse names, and depth, for an input that has no topics.

        Raises:
            SourceError: something was asked for that only a bag has.
        """
        named = {self.image, self.info, self.depth} - {"", WITHOUT}
        if named or self.settings.use_depth:
            raise SourceError(
                f"{name} must be a bag to have topics and depth images, and is none; give a bag, "
                "or leave topics and use_depth out"
            )


@contextmanager
def open_source(
    name: str,
    camera: Camera | None = None,
    *,
    topics: TopicNames | None = None,
    report: Report | None = None,
) -> Iterator[Source]:
    """Open an input, and close it in the end.

    Args:
        name: of an image, a folder of images, a video file, a bag, or the number of a camera.
        camera: calibration of what took the images, if known; it goes before a bag's.
        topics: of a bag.
        report: gets a sentence for each image that is left out because it cannot be read, and on
            what is doubtful; they are logged as warnings if None.

    Raises:
        SourceError: there is no such input, or nothing that can be read.
    """
    path, report = Path(name), report or logging.getLogger(__name__).warning
    if topics and (name.isdigit() or (path.exists() and not is_bag(path))):
        topics.check_unneeded(name)
    if name.isdigit():
        yield from _open_video(int(name), f"camera {name}", camera)
    elif not path.exists():
        raise SourceError(
            f"the input must be a file, a folder or a camera number, got {name}; check the path"
        )
    elif is_bag(path):
        yield from _open_bag(path, camera, topics or TopicNames(), report)
    elif path.is_dir():
        yield _folder(path, camera, report)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        frame = Frame(read_image(path), 0, camera=camera)
        names = {frame.stamp_ns: path.stem}
        yield Source(iter([frame]), 1, _FOLDER_RATE_HZ, is_sequence=False, names=names)
    else:
        yield from _open_video(name, name, camera)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (h, w, 3) uint8 RGB.

    Raises:
        SourceError: the file is no image.
        OSError: it cannot be read.
    """
    content = np.fromfile(path, np.uint8)
    image = decode_picture(content, cv2.IMREAD_COLOR)
    if image is None:
        got = "something else" if len(content) else "an empty one"
        raise SourceError(f"{path} must be an image file, got {got}; remove or repair it")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _folder(folder: Path, camera: Camera | None, report: Report) -> Source:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        check_one_recording(folder)
        raise SourceError(
            f"{folder} must hold images ({', '.join(sorted(IMAGE_SUFFIXES))}) or a bag, got "
            "neither; check the path"
        )
    stamps = [round(index * 1e9 / _FOLDER_RATE_HZ) for index in range(len(paths))]
    frames = _images(dict(zip(stamps, paths, strict=True)), camera, report)
    names = dict(zip(stamps, _frame_names(paths), strict=True))
    return Source(frames, len(paths), _FOLDER_RATE_HZ, is_sequence=True, names=names)


def _frame_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each image: without its suffix, unless only that tells some apart."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(paths) else [path.name for path in paths]


def _images(paths: dict[int, Path], camera: Camera | None, report: Report) -> Iterator[Frame]:
    read = 0
    for stamp_ns, path in paths.items():
        try:
            frame = Frame(read_image(path), stamp_ns, camera=camera)
        except (ValueError, OSError) as error:
            report(f"an image is left out: {error}")
            continue
        read += 1
        yield frame
    if not read:
        raise SourceError(
            f"the folder must hold images that can be read, got none among {len(paths)}; repair "
            "them"
        )


def _open_bag(
    path: Path, camera: Camera | None, topics: TopicNames, report: Report
) -> Iterator[Source]:
    with open_bag(path) as bag:
        camera_topics = bag.choose_camera(topics.image, topics.info, topics.depth)
        chosen = topics.settings.apply(camera_topics)
        rate_hz = bag.rate_hz(chosen) or _FOLDER_RATE_HZ
        if bag.foreign:
            named = ", ".join(f"{topic} ({kind})" for topic, kind in bag.foreign.items())
            report(f"topics without messages of ROS are left out: {named}")
        if camera is not None:
            chosen = replace(chosen, info=None)

        def tell(topic: str, sentence: str) -> None:
            report(f"{topic}: {sentence}")

        frames = bag.read_frames([chosen], report=tell, note=tell)
        placed = (
            frame if camera is None else replace(frame, camera=camera) for _, frame in frames
        )
        yield Source(placed, chosen.count, min(max(rate_hz, 0.1), 1000.0), is_sequence=True)


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
        is_live = isinstance(name, int)
        count = promised if promised > 0 and not is_live else None
        frames = _video_frames(capture, title, count, None if is_live else rate_hz, camera)
        yield Source(frames, count, rate_hz, is_sequence=True)
    finally:
        capture.release()


def _video_frames(
    capture: cv2.VideoCapture,
    title: str,
    count: int | None,
    rate_hz: float | None,
    camera: Camera | None,
) -> Iterator[Frame]:
    """Give frames at the file's steady rate, which is what its players show; a camera's as now."""
    index = 0
    while True:
        arrived, bgr = capture.read()
        if not arrived:
            break
        stamp_ns = time.time_ns() if rate_hz is None else round(index * 1e9 / rate_hz)
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        yield Frame(rgb, stamp_ns, camera=camera)
        index += 1
    if index == 0 or (count is not None and index < 0.9 * count):
        raise SourceError(
            f"{title} must have {count or 'some'} frames, got {index} before it broke off; what "
            "was read so far is kept"
        )

"""Video files, verified after writing: OpenCV does not report a full disk."""

from __future__ import annotations

import math
from pathlib import Path

import cv2

from smpler_model.array_types import RgbImage
from smpler_model.library_messages import silence_video_libraries
from smpler_model.native_paths import native_path

SUFFIX = ".mp4"
USUAL_RATE_HZ = 30.0

_CODEC = "mp4v"  # MPEG-4 part 2: of the codecs in OpenCV's wheels the most widely playable
_MOST_TICKS = 65535  # per second: MPEG-4 counts time in 16 bits
_LEAST_RATE_HZ = 0.01
_SIDES_PX = (2, 8190)  # of images in MPEG-4; OpenCV makes them even


class Video:
    """An .mp4 file of images of one size.

    Images larger than the format allows are shrunk.
    """

    def __init__(self, path: Path, rate_hz: float, width: int, height: int) -> None:
        """Start the file.

        Args:
            path: path of the file, which is replaced if it exists.
            rate_hz: rate of the images; rounded to the nearest that the format can store.
            width: width of the images, pixels.
            height: height of the images, pixels.

        Raises:
            ValueError: a path that OpenCV cannot use.
            OSError: the file cannot be written.
        """
        self.path, self._count = path, 0
        name = native_path(path)
        with path.open("wb"):  # Python reports a bad folder properly, OpenCV does not
            pass
        least, most = _SIDES_PX
        scale = min(1.0, most / max(width, height))
        self._size = max(round(width * scale), least), max(round(height * scale), least)
        silence_video_libraries()
        codec = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(name, codec, writable_rate_hz(rate_hz), self._size)
        if not self._writer.isOpened():
            raise OSError(
                f"OpenCV must be able to write {path} ({width}x{height}, {_CODEC}), got a "
                "refusal; check whether the disk is full, or leave the video out"
            )

    def write(self, rgb: RgbImage) -> None:
        """Add an (h, w, 3) RGB image."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if bgr.shape[1::-1] != self._size:
            bgr = cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(bgr)
        self._count += 1

    def close(self) -> None:
        """Finish the file and check that it can be played.

        Raises:
            OSError: it cannot be played; it is removed.
        """
        self._writer.release()
        playable = count_images(self.path)
        if playable != self._count:
            self.path.unlink(missing_ok=True)
            raise OSError(
                f"{self.path} must hold {self._count} images, got {playable} after writing them; "
                "check whether the disk is full"
            )


def writable_rate_hz(rate_hz: float) -> float:
    """Return the nearest rate that MPEG-4 can store: at most 65535 ticks per second.

    Rates are written as thousandths, hundredths, tenths or integers, whichever fits.
    """
    if not math.isfinite(rate_hz):
        return USUAL_RATE_HZ
    rate_hz = min(max(rate_hz, _LEAST_RATE_HZ), float(_MOST_TICKS))
    fitting = (
        rounded
        for digits in (3, 2, 1, 0)
        if (rounded := round(rate_hz, digits)) * 10**digits <= _MOST_TICKS
    )
    return next(fitting)


def count_images(path: Path) -> int:
    """Return the number of images according to a video file's header; 0 for other files."""
    silence_video_libraries()
    capture = cv2.VideoCapture(native_path(path))
    try:
        return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0) if capture.isOpened() else 0
    finally:
        capture.release()

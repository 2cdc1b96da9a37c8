"""Videos in files, which are checked: OpenCV says nothing of a full disk."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.native_paths import native_path

Image = NDArray[np.uint8]

SUFFIX = ".mp4"
USUAL_RATE_HZ = 30.0

_CODEC = "mp4v"  # MPEG-4 part 2: of what OpenCV's wheels can write, what most players show
_MOST_TICKS = 65535  # a second: MPEG-4 counts time in 16 bits
_LEAST_RATE_HZ = 0.01
_SIDES_PX = (2, 8190)  # of images in MPEG-4; OpenCV makes them even


class Video:
    """An .mp4 file of images of one size.

    Images that are larger than the format allows are shrunk.
    """

    def __init__(self, path: Path, rate_hz: float, width: int, height: int) -> None:
        """Begin the file.

        Args:
            path: path of the file; one that exists is replaced.
            rate_hz: rate of the images; rounded to the nearest that the format can store.
            width: width of the images, pixels.
            height: height of the images, pixels.

        Raises:
            ValueError: a path that OpenCV cannot take.
            OSError: the file cannot be written.
        """
        self.path, self._count = path, 0
        name = native_path(path)
        with path.open("wb"):  # what Python can say of a folder, OpenCV cannot
            pass
        least, most = _SIDES_PX
        scale = min(1.0, most / max(width, height))
        self._size = max(round(width * scale), least), max(round(height * scale), least)
        codec = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(name, codec, writable_rate_hz(rate_hz), self._size)
        if not self._writer.isOpened():
            raise OSError(
                f"OpenCV must be able to write {path} ({width}x{height}, {_CODEC}), got a "
                "refusal; see whether the disk is full, or leave the video out"
            )

    def write(self, rgb: Image) -> None:
        """Add an (h, w, 3) RGB image."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if bgr.shape[1::-1] != self._size:
            bgr = cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(bgr)
        self._count += 1

    def close(self) -> None:
        """Finish the file, and see that it can be played.

        Raises:
            OSError: it cannot; it is removed.
        """
        self._writer.release()
        playable = count_images(self.path)
        if playable != self._count:
            self.path.unlink(missing_ok=True)
            raise OSError(
                f"{self.path} must hold {self._count} images, got {playable} after writing them; "
                "see whether the disk is full"
            )


def writable_rate_hz(rate_hz: float) -> float:
    """Return the rate nearest to another that MPEG-4 can hold: at most 65535 ticks a second.

    Rates are written as thousandths, hundredths, tenths or whole numbers, whichever fits.
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
    """Return how many images a video file says that it holds; 0 for what is none."""
    capture = cv2.VideoCapture(native_path(path))
    try:
        return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0) if capture.isOpened() else 0
    finally:
        capture.release()

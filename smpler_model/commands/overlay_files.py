"""Overlays as files: a video, or one image per frame."""

from pathlib import Path
from typing import Protocol

import cv2

from smpler_model.array_types import RgbImage
from smpler_model.atomic_files import write_atomically
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.drawing.video import Video, writable_rate_hz
from smpler_model.native_paths import native_path

_LONGEST_S = 60.0  # between a live camera's images; after more, the clock was set


class OverlayFile(Protocol):
    """Takes images one after the other."""

    def write(self, index: int, name: str, stamp_ns: int, rgb: RgbImage) -> None:
        """Write the (h, w, 3) image of a frame.

        Args:
            index: index of the frame, from 0.
            name: name of the frame; empty if it has none.
            stamp_ns: timestamp of the frame, nanoseconds.
            rgb: the image.

        Raises:
            OSError: it cannot be written.
        """

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: it is incomplete.
        """


class OverlayVideo:
    """An .mp4 file; a new one begins whenever the image size changes."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Store the arguments; the file begins with the first image.

        Raises:
            ValueError: a path that OpenCV cannot use.
        """
        native_path(path)
        self._path, self._rate_hz = path, rate_hz
        self._video: Video | None = None
        self._size = (0, 0)
        self._count = 0

    def write(self, index: int, name: str, stamp_ns: int, rgb: RgbImage) -> None:
        """Add an image to the video; see `OverlayFile`."""
        size = (rgb.shape[1], rgb.shape[0])
        if self._video is None or size != self._size:
            self.close()
            self._video, self._size = self._open(size), size
        self._video.write(rgb)

    def close(self) -> None:
        """Finish the video; see `Video.close`."""
        if self._video is not None:
            video, self._video = self._video, None
            video.close()

    def _open(self, size: tuple[int, int]) -> Video:
        self._count += 1
        path = self._path
        if self._count > 1:
            path = path.with_stem(f"{path.stem}_{self._count}")
        return Video(path, self._rate_hz, *size)


class LiveOverlayVideo:
    """An `OverlayVideo` of a camera's images, which come as often as they can be processed.

    At the camera's rate they would play too fast. So each image is repeated until the next one was
    taken.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Store the arguments; see `OverlayVideo`."""
        self._rate_hz = writable_rate_hz(rate_hz)
        self._video = OverlayVideo(path, self._rate_hz)
        self._shown: tuple[int, str, int, RgbImage] | None = None
        self._end_ns = 0  # up to when there is video

    def write(self, index: int, name: str, stamp_ns: int, rgb: RgbImage) -> None:
        """Add the last image to the video, up to the stamp of this one; see `OverlayFile`."""
        if self._shown is None:
            self._end_ns = stamp_ns
        else:
            for _ in range(self._count_until(stamp_ns)):
                self._video.write(*self._shown)
        self._shown = index, name, stamp_ns, rgb

    def close(self) -> None:
        """Add the last image, and finish the video; see `Video.close`."""
        shown, self._shown = self._shown, None
        try:
            if shown is not None:
                self._video.write(*shown)
        finally:
            self._video.close()

    def _count_until(self, stamp_ns: int) -> int:
        """Return how many images of the video there are up to a time; 1 if the clock was set."""
        count = round((stamp_ns - self._end_ns) * self._rate_hz / NS_PER_S)
        if not 0 <= count <= _LONGEST_S * self._rate_hz:
            self._end_ns = stamp_ns
            return 1
        self._end_ns += round(count * NS_PER_S / self._rate_hz)
        return count


class OverlayImages:
    """PNG files in a folder, named after the frames or numbered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, index: int, name: str, stamp_ns: int, rgb: RgbImage) -> None:
        """Write an image; see `OverlayFile`."""
        path = self._folder / f"{name or f'{index:06d}'}.png"
        done, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if not done:
            raise OSError(f"OpenCV cannot write {path} ({rgb.shape[1]}x{rgb.shape[0]})")
        write_atomically(path, lambda file: file.write(content.tobytes()), sync=False)

    def close(self) -> None:
        """Do nothing, as every image is complete."""

"""Overlays as files: a video, or one image per frame."""

from pathlib import Path
from typing import Protocol

import cv2

from smpler_model.array_types import RgbImage
from smpler_model.atomic_files import write_atomically
from smpler_model.drawing.video import Video
from smpler_model.native_paths import native_path


class OverlayFile(Protocol):
    """Takes images one after the other."""

    def write(self, index: int, name: str, rgb: RgbImage) -> None:
        """Write the (h, w, 3) image of a frame.

        Args:
            index: index of the frame, from 0.
            name: name of the frame; empty if it has none.
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

    def write(self, index: int, name: str, rgb: RgbImage) -> None:
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


class OverlayImages:
    """PNG files in a folder, named after the frames or numbered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, index: int, name: str, rgb: RgbImage) -> None:
        """Write an image; see `OverlayFile`."""
        path = self._folder / f"{name or f'{index:06d}'}.png"
        done, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if not done:
            raise OSError(f"OpenCV cannot write {path} ({rgb.shape[1]}x{rgb.shape[0]})")
        write_atomically(path, lambda file: file.write(content.tobytes()), sync=False)

    def close(self) -> None:
        """Do nothing, as every image is complete."""

"""A contact sheet of a video: frames at equal time intervals, with their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from smpler_model.array_types import RgbImage
from smpler_model.atomic_files import write_atomically
from smpler_model.library_messages import silence_video_libraries

FRAMES, COLUMNS = 12, 4
WIDTH_PX = 1600
GAP_PX = 8  # between cells
CELL_PX = (WIDTH_PX - (COLUMNS - 1) * GAP_PX) // COLUMNS
CAPTION_PX = 30  # height of the line below a frame

_PAPER, _INK = 250, 30
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.7


@dataclass(frozen=True)
class TimedImage:
    """A frame of a video.

    Attributes:
        time_s: time since the start of the video.
        rgb: (h, w, 3) uint8.
    """

    time_s: float
    rgb: RgbImage


def write_contact_sheet(video: Path, path: Path) -> None:
    """Write a PNG, 1600 pixels wide, of up to 12 frames of a video.

    Args:
        video: the file.
        path: path of the PNG.

    Raises:
        ValueError: the video has no readable frame.
        OSError: the PNG cannot be written.
    """
    sheet = compose_sheet(read_evenly(video, FRAMES))
    _, content = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(path, lambda file: file.write(content.tobytes()))


def read_evenly(video: Path, count: int) -> list[TimedImage]:
    """Read frames at equal intervals, including the first and the last.

    Args:
        video: the file.
        count: maximum number of frames; a shorter video gives all of its frames.

    Raises:
        ValueError: no frame can be read.
    """
    frames = []
    silence_video_libraries()
    capture = cv2.VideoCapture(str(video))
    try:
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        last = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1, 0)
        for index in np.unique(np.linspace(0, last, count).round().astype(int)).tolist():
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            arrived, bgr = capture.read()
            if arrived:
                rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                frames.append(TimedImage(index / rate_hz, rgb))
    finally:
        capture.release()
    if not frames:
        raise ValueError(
            f"a contact sheet needs a video with frames, got none from {video}; run the "
            "demonstration again"
        )
    return frames


def compose_sheet(frames: Sequence[TimedImage]) -> RgbImage:
    """Arrange frames of equal size in rows on a page, with their times below.

    Args:
        frames: k frames, at least one; (h, w, 3) each.

    Returns:
        (H, 1600, 3) uint8 RGB: rows of 4 cells, each 394 pixels wide, 8 apart.
    """
    height, width = frames[0].rgb.shape[:2]
    size = CELL_PX, max(round(CELL_PX * height / width), 1)
    rows = -(-len(frames) // COLUMNS)
    step_x, step_y = CELL_PX + GAP_PX, size[1] + CAPTION_PX + GAP_PX
    sheet = np.full((rows * step_y - GAP_PX, WIDTH_PX, 3), _PAPER, np.uint8)
    for index, frame in enumerate(frames):
        row, column = divmod(index, COLUMNS)
        top, left = row * step_y, column * step_x
        shrinks = size[0] < width
        scaled = cv2.resize(
            frame.rgb, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        sheet[top : top + size[1], left : left + CELL_PX] = scaled
        _write_centred(sheet, f"{frame.time_s:.1f} s", left + CELL_PX // 2, top + size[1])
    return sheet


def _write_centred(sheet: RgbImage, text: str, middle_px: int, top_px: int) -> None:
    """Draw a caption with its top at a row, centred on a column."""
    thickness = 1
    (width, height), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE, thickness)
    place = (middle_px - width // 2, top_px + (CAPTION_PX + height) // 2)
    cv2.putText(sheet, text, place, _FONT, _FONT_SCALE, (_INK,) * 3, thickness, cv2.LINE_AA)

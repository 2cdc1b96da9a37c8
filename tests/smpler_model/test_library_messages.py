"""The libraries that read videos print nothing besides our errors, unless they are asked to."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smpler_model.drawing.video import Video

OPEN = """
import sys
from smpler_model.source import SourceError
from smpler_model.sources import open_source
try:
    with open_source(sys.argv[1]):
        pass
except SourceError as error:
    print(error)
"""
VARIABLES = ("OPENCV_FFMPEG_LOGLEVEL", "OPENCV_FFMPEG_DEBUG", "OPENCV_LOG_LEVEL")


@pytest.mark.parametrize("chosen", [{}, {"OPENCV_FFMPEG_LOGLEVEL": "16"}])
def test_a_video_without_an_end_is_reported_once(chosen: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    video = Video(path, 10.0, 64, 48)
    video.write(np.zeros((48, 64, 3), np.uint8))
    video.close()
    path.write_bytes(path.read_bytes()[:45])  # up to the images
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    # A process of its own, because FFmpeg reads its level once.
    said = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)],
        env=kept | chosen,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout
    assert "film.mp4 must be a video that OpenCV can decode" in said
    assert ("moov atom not found" in said) == bool(chosen)

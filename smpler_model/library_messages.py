"""Silences OpenCV's and FFmpeg's own messages about videos and cameras."""

import os

_QUIET = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_LOG_LEVEL": "ERROR"}


def silence_video_libraries() -> None:
    """Keep the libraries from printing what is reported in words, unless the user asked for it.

    To be called before each opening of a video: FFmpeg's level is read at the first one. OpenCV's
    own, which concerns cameras, is read when `cv2` is imported.
    """
    for variable, level in _QUIET.items():
        os.environ.setdefault(variable, level)

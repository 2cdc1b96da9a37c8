"""Sources of frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smpler_model.frames import Frame

_MOST_DIGITS = 9  # of a camera's number, which OpenCV takes as 32 bits


def camera_number(name: str) -> int | None:
    """Return the number of the camera that a name denotes; None if it denotes something else.

    An existing file or folder takes precedence: folders of recordings may be called 0001.
    """
    is_number = name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS
    return int(name) if is_number and not Path(name).exists() else None


class SourceError(ValueError):
    """An input cannot be read; the message states the reason and a remedy."""


@dataclass(frozen=True)
class Source:
    """An input of frames.

    Attributes:
        frames: frames in order; a `SourceError` ends them if the input is truncated.
        count: expected number of frames; None if unknown.
        rate_hz: rate of the frames.
        is_sequence: whether the frames show one scene, so that people can be tracked.
        names: names of the frames by their timestamps, nanoseconds; empty if they have none.
        is_live: whether it is a camera; its images that come while an earlier one is processed are
            missed.
        image_topic: topic of the images in a bag; empty for other inputs.
    """

    frames: Iterator[Frame]
    count: int | None
    rate_hz: float
    is_sequence: bool
    names: Mapping[int, str] = field(default_factory=dict)
    is_live: bool = False
    image_topic: str = ""

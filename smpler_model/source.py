"""What gives frames."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smpler_model.frames import Frame

_MOST_DIGITS = 9  # of a camera's number, which OpenCV takes as 32 bits

Report = Callable[[str], None]
"""Gets a sentence about what was left out."""


def camera_number(name: str) -> int | None:
    """Return the number of the camera that a name means; None where it means something else.

    Something that lies there under the name goes first: folders of recordings are called 0001.
    """
    is_number = name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS
    return int(name) if is_number and not Path(name).exists() else None


class SourceError(ValueError):
    """An input cannot be read; the message says what was expected, what came, what to do."""


@dataclass(frozen=True)
class Source:
    """An input that gives frames.

    Attributes:
        frames: frames in order; a `SourceError` ends them where the input breaks off.
        count: how many there should be; None if unknown.
        rate_hz: rate of the frames.
        is_sequence: whether the frames show one scene, so that people can be tracked.
        names: names of the frames by their stamps, nanoseconds; empty where they have none.
    """

    frames: Iterator[Frame]
    count: int | None
    rate_hz: float
    is_sequence: bool
    names: Mapping[int, str] = field(default_factory=dict)

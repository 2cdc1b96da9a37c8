"""What gives frames."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from smpler_model.frames import Frame

Report = Callable[[str], None]
"""Gets a sentence about what was left out."""


class SourceError(ValueError):
    """An input cannot be read; the message says what was expected, what came, what to do."""


@dataclass(frozen=True)
class Source:
    """An input that gives frames.

    Attributes:
        frames: in order; a `SourceError` ends them where the input breaks off.
        count: how many there should be; None where nobody knows.
        rate_hz: of the frames.
        is_sequence: whether the frames show one scene, so that people can be tracked.
        names: of the frames by their stamps, nanoseconds; empty where they have none.
    """

    frames: Iterator[Frame]
    count: int | None
    rate_hz: float
    is_sequence: bool
    names: Mapping[int, str] = field(default_factory=dict)

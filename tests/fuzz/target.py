"""What is tested: a reader, valid inputs for it, and how they are corrupted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from tests.fuzz.mutations import mutate_bytes

Mutate = Callable[[Any, Random, Sequence[Any]], Any]


@dataclass(frozen=True)
class Target:
    """A reader that takes any input, or refuses it in a sentence.

    Attributes:
        read: gets one input.
        samples: sound inputs, which the reader takes.
        mutate: makes a broken input of a sample, with numbers from a generator and, if it likes,
            parts of the other samples.
        refusals: what `read` may raise: errors for users, raised on purpose.
    """

    read: Callable[[Any], object]
    samples: Sequence[Any]
    mutate: Mutate = mutate_bytes
    refusals: tuple[type[Exception], ...] = (ValueError,)

    def input(self, seed: int, index: int) -> Any:  # noqa: ANN401 (of any form)
        """Return a broken input; equal for equal seed and index."""
        random = Random(f"{seed}/{index}")
        sample = self.samples[random.randrange(len(self.samples))]
        return self.mutate(sample, random, self.samples)


def on_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """Return a reader of bytes for one of files.

    Args:
        read: gets the path of a file of these bytes, alone in its folder.
        name: of the file, whose suffix may matter.
    """

    def read_bytes(content: bytes) -> object:
        path = _make_folder() / name
        path.write_bytes(content)
        return read(path)

    return read_bytes


@cache
def _make_folder() -> Path:
    """Return a folder, always the same; `trial` removes it with all that its process leaves."""
    return Path(mkdtemp())

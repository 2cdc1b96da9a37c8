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
    """A reader that accepts any input, or refuses it in one sentence.

    Attributes:
        read: called with one input.
        samples: valid inputs, which the reader accepts.
        mutate: corrupts a sample, with a random generator and optionally parts of the other
            samples.
        refusals: exceptions that `read` may raise: errors for users, raised on purpose.
    """

    read: Callable[[Any], object]
    samples: Sequence[Any]
    mutate: Mutate = mutate_bytes
    refusals: tuple[type[Exception], ...] = (ValueError,)

    def input(self, seed: int, index: int) -> Any:  # noqa: ANN401 (of any form)
        """Return a corrupted input, equal for equal seed and index."""
        random = Random(f"{seed}/{index}")
        sample = self.samples[random.randrange(len(self.samples))]
        return self.mutate(sample, random, self.samples)


def on_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """Turn a reader of files into one of bytes.

    Args:
        read: called with the path of a file of these bytes, alone in its folder.
        name: name of the file, whose suffix may matter.
    """

    def read_bytes(content: bytes) -> object:
        path = _make_folder() / name
        path.write_bytes(content)
        return read(path)

    return read_bytes


@cache
def _make_folder() -> Path:
    """Return a folder, always the same; `trial` removes it with its contents."""
    return Path(mkdtemp())

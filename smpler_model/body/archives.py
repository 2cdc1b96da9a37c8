"""Reading `.npz` archives of plain arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an archive.

    Raises:
        ValueError: it is damaged, of another kind, or holds objects, which could run code.
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except Exception as error:  # a damaged archive can raise anything
            raise ValueError(
                f"{path} must be a .npz of plain arrays, got a file that cannot be read as one "
                f"({error}); it is cut short or holds objects, get it again"
            ) from error

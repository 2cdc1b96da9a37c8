"""Reads `.npz` archives of plain arrays."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SUFFIX = ".npy"
_MOST_UNPACKED = 500_000_000  # bytes; SMPL's largest files expand to a fifth of it


def read_npz(
    path: Path, names: Collection[str], *, most_bytes: int = _MOST_UNPACKED
) -> dict[str, NDArray[Any]]:
    """Read some arrays of an archive; its other contents are ignored.

    Args:
        path: path of the archive.
        names: names of the requested arrays; missing ones are left out.
        most_bytes: size limit of all arrays together.

    Raises:
        ValueError: it is damaged, of another kind, too large, or a requested array contains
            objects, which could run code.
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                wanted = {f"{name}{_SUFFIX}" for name in names}
                entries = [e for e in archive.zip.infolist() if e.filename in wanted]
                unpacked = sum(entry.file_size for entry in entries)
                if unpacked <= most_bytes:
                    found = [entry.filename.removesuffix(_SUFFIX) for entry in entries]
                    return {name: archive[name] for name in found}
        except Exception as error:  # a damaged archive can raise any error
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"{path} must be a .npz of plain arrays, got a file that cannot be read as one "
                f"({reason or type(error).__name__}); it is truncated or contains objects, get it "
                "again"
            ) from error
    raise ValueError(
        f"{path} must expand to at most {most_bytes / 1e6:.0f} MB, got {unpacked / 1e6:.0f} "
        "MB; get it again"
    )

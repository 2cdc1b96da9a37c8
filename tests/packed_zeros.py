"""Archives that unpack to far more than they are large."""

import zipfile
from pathlib import Path

_BLOCK = bytes(1_000_000)


def add_zeros(path: Path, name: str, size: int) -> None:
    """Add an entry of so many zeros, whole megabytes, to an archive; packed, it is small."""
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as entry,
    ):
        for _ in range(size // len(_BLOCK)):
            entry.write(_BLOCK)

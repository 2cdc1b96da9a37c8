"""Default output folders."""

from pathlib import Path


def base_name(path: Path) -> str:
    """Return the name for an input's results: a file's name without suffix, a folder's name.

    `walk.1` and `walk.2` are names of folders, not suffixes.
    """
    whole = path.resolve()
    return whole.name if whole.is_dir() else whole.stem

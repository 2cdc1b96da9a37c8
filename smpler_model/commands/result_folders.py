"""Default output folders."""

from pathlib import Path


def base_name(path: Path) -> str:
    """Return what the results of an input are called: a file without its suffix, a folder whole.

    `walk.1` and `walk.2` are names of folders, not suffixes.
    """
    whole = path.resolve()
    return whole.name if whole.is_dir() else whole.stem

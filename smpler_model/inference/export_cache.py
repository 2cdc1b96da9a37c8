"""A cache of exported networks on disk: an export takes seconds, which every start would repeat.

Files are stored in `$SMPLER_ROS_CACHE`, else in `$XDG_CACHE_HOME/smpler_ros`, else in
`~/.cache/smpler_ros`; an empty `SMPLER_ROS_CACHE` switches the cache off. A file's name is a hash
of everything that determines the graph: weights, configuration, code and versions of libraries.
So no file is ever out of date, and any may be deleted at any time. Its contents begin with their
own hash. If the cache fails, the only cost is another export.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from smpler_model.atomic_files import write_atomically
from smpler_model.hashes import Part, hash_parts

logger = logging.getLogger(__name__)

VARIABLE = "SMPLER_ROS_CACHE"
"""The environment variable that names the folder."""

MOST_BYTES = 500_000_000
"""Files beyond this are deleted, the oldest first; `smpler_nano` has 25 MB, SMPLER-L 300 MB."""

_PACKAGE = Path(__file__).parents[1]
_ROOMS = ("body", "network", "inference", "detectors")
_LIBRARIES = ("torch", "timm")
_SUFFIX = ".exported"
_PARTIAL = ".*.partial"  # of programs that were killed, see `atomic_files`
_HASH_BYTES = 64


def export_once(network: Iterable[Part], export: Callable[[], bytes]) -> bytes:
    """Return an exported network, from the disk if it has been exported before.

    Args:
        network: what the graph follows from, besides code and libraries: weights, configuration,
            which part of a model it is.
        export: exports it; called if it is not on the disk.
    """
    folder = cache_folder(os.environ)
    if folder is None:
        return export()
    path = folder / f"{hash_parts((*_code(), *network))}{_SUFFIX}"
    content = _read(path)
    if content is None:
        content = export()
        _keep(path, content)
    return content


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder that environment variables name; None without one."""
    if VARIABLE in environment:
        chosen = environment[VARIABLE]
        return Path(chosen) if chosen else None
    caches = Path(environment.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # to be ignored, says the XDG specification
        try:
            caches = Path.home() / ".cache"
        except RuntimeError:  # a user without a home
            return None
    return caches / "smpler_ros"


def _code() -> Iterable[str | bytes]:
    """Return the code that builds and exports networks, and the libraries' versions."""
    for library in _LIBRARIES:
        with suppress(PackageNotFoundError):
            yield version(library)
    for room in _ROOMS:
        for path in sorted((_PACKAGE / room).glob("*.py")):
            yield path.name
            yield path.read_bytes()


def _read(path: Path) -> bytes | None:
    """Return the network in a file; None if there is none, or a damaged one."""
    try:
        stored = path.read_bytes()
    except OSError as error:
        logger.debug("no exported network is kept: %s", error)
        return None
    content = stored[_HASH_BYTES:]
    if hash_parts([content]).encode() != stored[:_HASH_BYTES]:
        logger.debug("%s is damaged; the network is exported again", path)
        return None
    with suppress(OSError):
        os.utime(path)  # what is used is not among the oldest
    return content


def _keep(path: Path, content: bytes) -> None:
    """Write a file, and delete the oldest ones if there is too much."""
    stored = hash_parts([content]).encode() + content
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(stored), sync=False)
        _delete_oldest(path.parent)
    except OSError as error:
        logger.debug("the exported network is not kept: %s", error)


def _delete_oldest(folder: Path) -> None:
    found = chain(folder.glob(f"*{_SUFFIX}"), folder.glob(_PARTIAL))
    files = [(path.stat(), path) for path in found]
    total = 0
    for status, path in sorted(files, key=lambda each: -each[0].st_mtime_ns):
        total += status.st_size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)

"""Download the data that SMPLer trains on: `python -m training.data.download 3dpw human3.6m ...`.

Each archive is downloaded with azcopy if it is installed, else by https; an interrupted download
is resumed. After unpacking, every table of the archive is compared with its index.

Source: the TSV releases of METRO, whose folder of data sets is public.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from smpler_model.atomic_files import put_in_place
from training.data.tsv import TsvFile

SERVER = "https://datarelease.blob.core.windows.net/metro/datasets"
ARCHIVES = (
    *("Tax-H36m-coco40k-Muco-UP-Mpii", "human3.6m", "coco_smpl", "muco"),
    *("up3d", "mpii", "3dpw"),
)
_BLOCK = 1 << 20
_TIMEOUT_S = 60.0
_DONE = ".downloaded"
_PARTIAL_CONTENT, _NOTHING_LEFT = 206, 416
_REFUSED = (401, 403, 409)  # no permission; public access is disabled


def download(name: str, root: Path, server: str = SERVER, *, keep: bool = False) -> Path:
    """Download, unpack and verify one data set, unless this was done before.

    Args:
        name: one of `ARCHIVES`.
        root: folder for all data sets.
        server: base address of the archives.
        keep: whether to keep the archive.

    Returns:
        The data set's folder.

    Raises:
        OSError: the server cannot be reached, or the disk is too full.
        ValueError: the archive is damaged, or a table does not match its index.
    """
    folder, archive = root / name, root / f"{name}.tar"
    if (folder / _DONE).is_file():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    if not archive.is_file():
        address = f"{server}/{name}.tar"
        fetch = fetch_by_azcopy if shutil.which("azcopy") else fetch_by_https
        fetch(address, archive)
    unpack(archive, root)
    count = verify(folder)
    (folder / _DONE).write_text(f"{count} tables\n")
    if not keep:
        archive.unlink()
    return folder


def fetch_by_https(address: str, target: Path) -> None:
    """Download a file; a partial download is resumed.

    Raises:
        OSError: the server cannot be reached, the connection breaks, or the disk is too full.
    """
    partial = target.with_name(f"{target.name}.partial")
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            if answer.status != _PARTIAL_CONTENT:
                have = 0  # this server sends the whole file
            length = answer.headers.get("Content-Length")
            size = have + int(length) if length else None
            _check_room(target.parent, (size or 0) - have)
            _receive(answer, partial, have, size)
    except urllib.error.HTTPError as error:
        if error.code in _REFUSED:
            raise OSError(
                f"{address} must be publicly readable, got {error}; the storage currently does "
                "not allow that: download it with the azcopy command of the data's authors, or "
                "name another copy with --server"
            ) from error
        if error.code != _NOTHING_LEFT:
            raise OSError(
                f"{address} must exist, got {error}; name a server that has it with --server"
            ) from error
    except urllib.error.URLError as error:
        raise OSError(
            f"{address} must be reachable, got {error.reason}; check the network, and start again "
            "to resume"
        ) from error
    put_in_place(partial, target)


def fetch_by_azcopy(address: str, target: Path) -> None:
    """Download a file with azcopy, which verifies it.

    Raises:
        OSError: azcopy fails.
    """
    partial = target.with_name(f"{target.name}.partial")
    done = subprocess.run(["azcopy", "copy", address, str(partial)], check=False)
    if done.returncode:
        raise OSError(
            f"azcopy must download {address}, got exit status {done.returncode}; see its log, "
            "and start again"
        )
    put_in_place(partial, target)


def unpack(archive: Path, root: Path) -> None:
    """Unpack an archive into a folder; paths outside the folder are refused.

    Raises:
        ValueError: the archive is damaged.
        OSError: the disk is too full.
    """
    _check_room(root, archive.stat().st_size)
    try:
        with tarfile.open(archive) as tar:
            # Python has this filter from 3.10.12, 3.11.4 and 3.12 on.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _root: member)
            for member in tqdm(tar, desc=f"unpack {archive.name}", unit="files"):
                _check_member(member, root)
                tar.extract(member, root)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f"{archive} must be a complete .tar file, got: {error}; remove it and start again"
        ) from error


def _check_member(member: tarfile.TarInfo, root: Path) -> None:
    """Refuse members other than files and folders below the root.

    Raises:
        tarfile.TarError: it is something else, or elsewhere.
    """
    inside = (root / member.name).resolve().is_relative_to(root.resolve())
    if not inside or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name} is not a file or folder inside of it")


def verify(folder: Path) -> int:
    """Compare every table of a data set with its index and read its first and last row.

    Returns:
        The number of tables.

    Raises:
        ValueError: a table is truncated or does not match its index, or there is none.
    """
    tables = sorted(folder.rglob("*.tsv"))
    if not tables:
        raise ValueError(f"{folder} must hold tables, got none; remove it and start again")
    for path in tqdm(tables, desc=f"verify {folder.name}", unit="tables"):
        table = TsvFile(path)
        if len(table):
            widths = {len(table.row(row)) for row in (0, len(table) - 1)}
            if len(widths) > 1 or not _ends_with_a_row(path):
                raise ValueError(
                    f"{path} must end with a complete row, got a partial one; remove {folder} and "
                    "start again"
                )
    return len(tables)


def _ends_with_a_row(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _receive(answer: object, partial: Path, have: int, size: int | None) -> None:
    """Append the received data to a file, and detect a premature end."""
    read = answer.read  # type: ignore[attr-defined]
    with (
        partial.open("ab" if have else "wb") as file,
        tqdm(total=size, initial=have, desc=partial.stem, unit="B", unit_scale=True) as bar,
    ):
        while block := read(_BLOCK):
            file.write(block)
            bar.update(len(block))
    arrived = partial.stat().st_size
    if size is not None and arrived != size:
        raise OSError(f"{partial.stem} must be {size} bytes, got {arrived}; start again to resume")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder} needs {needed / 1e9:.1f} GB, got {free / 1e9:.1f} GB free; free space, "
            "or name another folder with --root"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and download; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Download the data that SMPLer trains on.")
    parser.add_argument("names", nargs="+", choices=(*ARCHIVES, "all"), metavar="name")
    parser.add_argument("--root", type=Path, default=Path("datasets"))
    parser.add_argument("--server", default=SERVER)
    parser.add_argument("--keep", action="store_true", help="keep the archives")
    chosen = parser.parse_args(arguments)
    names = ARCHIVES if "all" in chosen.names else chosen.names
    try:
        for name in names:
            sys.stdout.write(f"{download(name, chosen.root, chosen.server, keep=chosen.keep)}\n")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Atomic files: what an error, a full disk or a concurrent reader sees."""

import errno
import os
import stat
import threading
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

from smpler_model.atomic_files import (
    put_in_place,
    replacing,
    write_atomically,
    write_text_atomically,
)
from tests.full_disk import room_for


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "new.txt", "whole")
    (tmp_path / "usual.txt").write_text("")
    assert (tmp_path / "new.txt").read_text() == "whole"
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert len(modes) == 1


def test_permissions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("old")
    path.chmod(0o640)
    write_text_atomically(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "target.txt"
    target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_text_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_longest_name_can_be_written(tmp_path: Path) -> None:
    name = "n" * 255
    write_text_atomically(tmp_path / name, "whole")
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, OSError])
def test_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise kind

    with pytest.raises(kind):
        write_atomically(path, fail)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"kept.txt": "old"}


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write(bytes(100_000)),
        lambda file: np.savez(file, a=np.zeros(100_000)),
        lambda file: torch.save({"a": torch.zeros(100_000)}, file),
    ],
    ids=["bytes", "numpy", "torch"],
)
def test_full_disk_is_reported_with_the_file(tmp_path: Path, write: object, sync: bool) -> None:
    path = tmp_path / "kept.bin"
    path.write_text("old")
    with room_for(50_000), pytest.raises(OSError, match=r"File too large: '.*kept\.bin'$") as got:
        write_atomically(path, write, sync=sync)  # type: ignore[arg-type]
    assert got.value.errno == errno.EFBIG
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"kept.bin": "old"}


def test_missing_folder_is_reported_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"'.*nowhere/new\.txt'$"):
        write_text_atomically(tmp_path / "nowhere" / "new.txt", "")


@pytest.mark.parametrize(("name", "kind"), [("folder", "folder"), ("pipe", "device")])
def test_only_files_are_replaced(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=f"must be a file or a new name, got the {kind} .*{name}"):
        write_text_atomically(tmp_path / name, "")
    assert names_in(tmp_path) == ["folder", "pipe"]


def test_readers_see_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "read.bin"
    contents = {bytes([number]) * 100_000 for number in range(2)}
    write_atomically(path, lambda file: file.write(min(contents)))
    over = threading.Event()
    seen = set()

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        for content in contents:
            write_atomically(path, lambda file, c=content: file.write(c), sync=False)
    over.set()
    reader.join()
    assert seen <= contents


def test_names_without_unicode_are_escaped(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "text", os.fsdecode(b"bag\xff"))
    assert (tmp_path / "text").read_text() == r"bag\udcff"


def test_a_library_can_write_to_a_path(tmp_path: Path) -> None:
    with replacing(tmp_path / "made.txt") as partial:
        assert partial.parent == tmp_path
        partial.write_text("whole")
        assert names_in(tmp_path) == [partial.name]
    assert (tmp_path / "made.txt").read_text() == "whole"


def test_finished_file_is_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "fetched.partial").write_text("whole")
    put_in_place(tmp_path / "fetched.partial", tmp_path / "fetched")
    assert names_in(tmp_path) == ["fetched"]


def test_file_and_folder_are_synchronised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure cannot be tested; the calls that protect against it can."""
    synced: list[str] = []
    fsync = os.fsync

    def note(number: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    write_text_atomically(tmp_path / "safe.txt", "")
    partial, folder = synced
    assert Path(partial).parent == tmp_path
    assert folder == str(tmp_path)

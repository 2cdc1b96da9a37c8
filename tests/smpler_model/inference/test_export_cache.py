"""Exported networks are kept on disk, and never taken for others; without a disk all works."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from smpler_model.inference import export_cache
from smpler_model.inference.export_cache import cache_folder, export_once

GRAPH = b"the graph" * 1000


class Exporter:
    """Returns a graph and counts how often."""

    def __init__(self, graph: bytes = GRAPH) -> None:
        self.graph, self.calls = graph, 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.graph


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, which is not there yet."""
    monkeypatch.setenv("SMPLER_ROS_CACHE", str(tmp_path / "exports" / "here"))
    return tmp_path / "exports" / "here"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_network_is_exported_once(folder: Path) -> None:
    export = Exporter()
    for _ in range(3):
        assert export_once(["nano"], export) == GRAPH
    assert export.calls == 1
    assert export_once(["nano", "other weights"], Exporter(b"another")) == b"another"
    assert export_once(["nano"], export) == GRAPH
    assert export.calls == 1


def test_another_process_exports_nothing(folder: Path) -> None:
    export_once(["nano"], Exporter())
    code = (
        "import sys; from smpler_model.inference.export_cache import export_once\n"
        "sys.stdout.buffer.write(export_once(['nano'], None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.stdout == GRAPH, done.stderr


def test_changed_code_or_libraries_never_get_an_old_graph(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "smpler_model" / "network" / "smpler.py"
    source.parent.mkdir(parents=True)
    source.write_text("width = 64")
    monkeypatch.setattr(export_cache, "_PACKAGE", tmp_path / "smpler_model")
    export = Exporter()
    export_once(["nano"], export)
    source.write_text("width = 65")
    export_once(["nano"], export)
    assert export.calls == 2
    monkeypatch.setattr(export_cache, "version", lambda name: f"{name} 99.0")
    export_once(["nano"], export)
    assert export.calls == 3


def test_the_code_that_makes_the_graph_is_in_the_key() -> None:
    code = list(export_cache._code())
    for path in ("network/smpler.py", "body/smpl.py", "detectors/person_network.py"):
        assert (export_cache._PACKAGE / path).read_bytes() in code
    for name in ("fast_network.py", "fused_blocks.py", "folding.py", "export.py"):
        assert (export_cache._PACKAGE / "inference" / name).read_bytes() in code


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"more",
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda _: b"",
    ],
    ids=["truncated", "longer", "one bit", "empty"],
)
def test_a_damaged_file_is_replaced(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    export = Exporter()
    export_once(["nano"], export)
    path = only_file(folder)
    written = path.read_bytes()
    path.write_bytes(damage(written))
    assert export_once(["nano"], export) == GRAPH
    assert export.calls == 2
    assert path.read_bytes() == written


@pytest.mark.parametrize("place", ["", "/dev/null", "/proc/nowhere"])
def test_without_a_folder_it_is_exported_each_time(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLER_ROS_CACHE", place)
    export = Exporter()
    assert export_once(["nano"], export) == export_once(["nano"], export) == GRAPH
    assert export.calls == 2


def grow_older(folder: Path) -> None:
    for path in folder.iterdir():
        before = path.stat().st_mtime - 10
        os.utime(path, (before, before))


def test_what_was_not_used_for_longest_is_deleted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_cache, "MOST_BYTES", int(2.5 * len(GRAPH)))
    folder.mkdir(parents=True)
    others, partial = folder / "notes.txt", folder / ".of-a-killed-program.partial"
    for path in (others, partial):
        path.write_bytes(GRAPH)
    a, b, c = Exporter(), Exporter(), Exporter()
    for name, export in (("a", a), ("b", b), ("a", a), ("c", c)):
        grow_older(folder)
        export_once([name], export)
        assert partial.exists() == (b.calls == 0)
    for name, export in (("a", a), ("c", c), ("b", b)):
        export_once([name], export)
    assert (a.calls, b.calls, c.calls) == (1, 2, 1)
    assert others.exists()
    assert len(list(folder.iterdir())) == 3


def test_several_at_once(folder: Path) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(export_once(["nano"], Exporter())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [GRAPH] * 8
    only_file(folder)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SMPLER_ROS_CACHE": "/data/exports", "XDG_CACHE_HOME": "/caches"}, "/data/exports"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/smpler_ros"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/robot/.cache/smpler_ros"),
        ({}, "/home/robot/.cache/smpler_ros"),
    ],
)
def test_the_folder(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/robot")
    assert cache_folder(environment) == Path(expected)
    assert cache_folder({"SMPLER_ROS_CACHE": ""}) is None

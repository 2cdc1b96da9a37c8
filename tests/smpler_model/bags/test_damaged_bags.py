"""Bags that are truncated, incomplete, or no bags at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.reader import is_bag, open_bag
from smpler_model.source import SourceError
from smpler_model.sources import open_source
from tests.bag_writer import (
    START_NS,
    STEP_NS,
    Messages,
    Sent,
    camera_messages,
    storage_file,
    write_bag,
)
from tests.smpler_model.bags.test_reader import IMAGE, indices, read


@pytest.mark.parametrize("form", ["mcap", "mcap-zstd", "sqlite3", "rosbag1"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_a_truncated_bag_is_read_up_to_its_end_and_reported(
    tmp_path: Path, form: str, share: float
) -> None:
    # Images large enough for several chunks of rosbags' mcap writer.
    sent = []
    local = Messages(ros1=form == "rosbag1")
    noise = np.random.default_rng(0).integers(0, 255, (20, 200, 300, 3), np.uint8)
    for index, pixels in enumerate(noise):
        stamp = START_NS + index * STEP_NS
        pixels[..., 0] = index
        sent.append(Sent(IMAGE, local.image(stamp, pixels), stamp))
    path = write_bag(tmp_path, sent, form)
    file = storage_file(path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with open_bag(path) as bag:
        assert bag.damage is not None
        count = bag.topics[IMAGE].count
        frames, _, error = read(bag)
    assert "truncated after" in error
    assert indices(frames) == list(range(count))
    assert 20 * share - 9 <= count <= 20


def test_a_killed_recording_without_metadata(tmp_path: Path) -> None:
    path = write_bag(tmp_path, camera_messages(), "sqlite3")
    (path / "metadata.yaml").unlink()
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert (len(frames), error) == (10, "")
    with open_bag(storage_file(path)) as bag:
        assert len(read(bag)[0]) == 10


def test_parts_without_metadata_are_sorted_by_time(tmp_path: Path) -> None:
    sent = camera_messages(12)
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, part in (("10", sent[12:]), ("2", sent[:12])):
        (tmp_path / number).mkdir()
        storage_file(write_bag(tmp_path / number, part)).rename(folder / f"bag_{number}.mcap")
    with open_bag(folder) as bag:
        assert bag.cameras[0].count == 12
        assert indices(read(bag)[0]) == list(range(12))


def test_several_recordings_in_a_folder_are_refused(tmp_path: Path) -> None:
    file = storage_file(write_bag(tmp_path, camera_messages(2)))
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("run.mcap", "walk.mcap"):
        shutil.copy(file, folder / name)
    assert not is_bag(folder)
    words = r"got 2, run\.mcap and walk\.mcap among them"
    with pytest.raises(SourceError, match=words), open_bag(folder):
        pass
    with pytest.raises(SourceError, match="choose a file"), open_source(str(folder)):
        pass


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag"])
@pytest.mark.parametrize("content", [b"", b"no bag at all" * 20, b"\x89MCAP0\r\n", b"SQLite fo"])
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with (
        pytest.raises(SourceError, match="must be a bag, got one that cannot be read"),
        open_bag(path),
    ):
        pass


def test_other_paths_are_refused(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path / "none", "must be a file or a folder"),
        (tmp_path, "must hold a bag's files"),
        (Path(__file__), "must be a folder or end in"),
    ]:
        with pytest.raises(SourceError, match=words), open_bag(path):
            pass

"""Bags by other recorders and converters, or edited by hand: all images are read."""

import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from backports import zstd

from smpler_model.bags.reader import open_bag
from smpler_model.source import SourceError
from smpler_model.sources import open_source
from tests.bag_writer import (
    START_NS,
    STEP_NS,
    Messages,
    Sent,
    camera_messages,
    picture,
    storage_file,
    write_bag,
)
from tests.mcap_writer import Style, channel, record, write_mcap
from tests.smpler_model.bags.test_reader import IMAGE, indices, read

make = Messages()


def check_whole(path: Path, count: int = 10) -> None:
    """Check that all images of a bag are read, each with its timestamp, without warnings."""
    with open_bag(path) as bag:
        assert bag.damage is None
        assert bag.topics[IMAGE].count == count
        frames, reports, error = read(bag)
    assert (reports, error) == ([], "")
    assert indices(frames) == list(range(count))
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * STEP_NS for i in range(count)]
    assert all(frame.camera is not None for frame in frames)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


STYLES = {
    "empty profile": Style(profile=""),
    "empty profile, no chunks": Style(profile="", chunk_messages=0),
    "no index": Style(has_index=False),
    "no index of messages": Style(has_message_index=False),
    "no chunks": Style(chunk_messages=0, has_index=False),
    "lz4": Style(compression="lz4"),
    "one message a chunk": Style(chunk_messages=1),
    "schemas without text": Style(definition=""),
    "schemas of a name": Style(definition="sensor_msgs/msg/Image"),
    "schemas that are prose": Style(definition="An image, as one knows it.\n"),
    "profile of ROS 1": Style(profile="ros1", is_ros1=True),
    "ROS 1, empty profile": Style(profile="", is_ros1=True),
    "ROS 1, no index": Style(profile="ros1", is_ros1=True, has_index=False),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_mcap_files_of_other_writers(tmp_path: Path, style: Style) -> None:
    sent = camera_messages(ros1=style.is_ros1)
    check_whole(write_mcap(tmp_path / "bag.mcap", sent, style))


@pytest.mark.parametrize("style", [Style(definition=""), Style(definition="sensor_msgs/Image")])
def test_truncated_mcap_with_empty_schemas(tmp_path: Path, style: Style) -> None:
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), style)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(record(15, bytes(4)))])
    with open_bag(path) as bag:
        frames, reports, error = read(bag)
    assert (indices(frames), reports) == (list(range(10)), [])
    assert "truncated after" in error


@pytest.mark.parametrize("has_index", [True, False])
def test_channels_of_other_encodings_are_reported_once(tmp_path: Path, *, has_index: bool) -> None:
    style = Style(has_index=has_index, others=("json", "protobuf"))
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), style)
    said: list[str] = []
    with open_source(str(path), report=said.append) as source:
        assert len(list(source.frames)) == 10
    others = "/json (json), /protobuf (protobuf)"
    assert said == [f"bag.mcap: topics without ROS messages are ignored: {others}"]
    check_whole(path)


def test_images_only_in_another_encoding_are_reported(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "bag.mcap", [], Style(others=("protobuf",)))
    with (
        open_bag(path) as bag,
        pytest.raises(SourceError, match=r"got none among /protobuf \(protobuf\)"),
    ):
        bag.choose_camera()


def test_overlapping_chunks_are_sorted_by_recording_time(tmp_path: Path) -> None:
    sent = camera_messages(12)
    late = [*sent[8:16], *sent[:8], *sent[16:]]
    path = write_mcap(tmp_path / "bag.mcap", late, Style(chunk_messages=8))
    with open_bag(path) as bag:
        times = [each.time_ns for each in bag.read_messages(bag.topics)]
    assert times == sorted(times)
    assert len(times) == 24
    check_whole(path, 12)


def test_a_wrong_index_is_rebuilt(tmp_path: Path) -> None:
    sent = camera_messages()
    path = write_mcap(tmp_path / "bag.mcap", sent, Style(chunk_messages=4))
    content = bytearray(path.read_bytes())
    times = struct.pack("<QQ", sent[4].time_ns, sent[7].time_ns)
    place = content.rindex(times) + len(times)
    content[place : place + 8] = struct.pack("<Q", 7)  # the stated start of the chunk
    path.write_bytes(content)
    check_whole(path)


def change_metadata(path: Path, change: Callable[[dict], object]) -> None:
    file = path / "metadata.yaml"
    content = yaml.safe_load(file.read_text())
    change(content["rosbag2_bagfile_information"])
    file.write_text(yaml.safe_dump(content))


def other_qos(about: dict) -> None:
    for topic in about["topics_with_message_count"]:
        topic["topic_metadata"]["offered_qos_profiles"] = (
            "- history: 3\n  depth: 0\n  reliability: 1\n  durability: 2\n  deadline:\n"
            "    sec: 1\n    nsec: 0\n  lifespan:\n    sec: 1\n    nsec: 0\n  liveliness: 1\n"
            "  liveliness_lease_duration:\n    sec: 1\n    nsec: 0\n"
            "  avoid_ros_namespace_conventions: false"
        )


CHANGES = {
    "other QoS": other_qos,
    "QoS that nobody reads": lambda about: about["topics_with_message_count"][0][
        "topic_metadata"
    ].update(offered_qos_profiles="- reliability: perhaps"),
    "another compression": lambda about: about.update(
        compression_format="lzma", compression_mode="FILE"
    ),
    "another storage": lambda about: about.update(storage_identifier="parquet"),
    "no storage": lambda about: about.update(storage_identifier=""),
    "a version to come": lambda about: about.update(version=12),
    "no topics": lambda about: about.update(topics_with_message_count=[]),
    "another file's name": lambda about: about.update(relative_file_paths=["old_0.mcap"]),
    "no file": lambda about: about.pop("relative_file_paths"),
    "other counts": lambda about: about.update(message_count=3),
}


@pytest.mark.parametrize("form", ["mcap", "sqlite3", "sqlite3-message-zstd"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_wrong_metadata_is_ignored(
    tmp_path: Path, form: str, change: Callable[[dict], object]
) -> None:
    path = write_bag(tmp_path, camera_messages(), form)
    change_metadata(path, change)
    check_whole(path)


@pytest.mark.parametrize("form", ["mcap", "sqlite3"])
@pytest.mark.parametrize("has_metadata", [True, False])
def test_a_part_that_lost_its_qos(tmp_path: Path, form: str, *, has_metadata: bool) -> None:
    sent, folder = camera_messages(), tmp_path / "parts"
    first = write_bag(tmp_path, sent[:10], form)
    first.rename(folder)
    suffix = storage_file(folder).suffix
    storage_file(folder).rename(folder / f"bag_0{suffix}")
    second = folder / f"bag_1{suffix}"
    if form == "mcap":
        write_mcap(second, sent[10:])  # its channels have no QoS
    else:
        storage_file(write_bag(tmp_path, sent[10:], form)).rename(second)
        with sqlite3.connect(second) as database:
            database.execute("UPDATE topics SET offered_qos_profiles = ''")
    names = [f"bag_0{suffix}", second.name]
    change_metadata(folder, lambda about: about.update(relative_file_paths=names))
    if not has_metadata:
        (folder / "metadata.yaml").unlink()
    check_whole(folder)


def test_unlisted_and_missing_parts(tmp_path: Path) -> None:
    sent = camera_messages()
    path = write_bag(tmp_path, sent[:10])
    storage_file(path).rename(path / "bag_0.mcap")
    write_mcap(path / "bag_1.mcap", sent[10:])
    change_metadata(path, lambda about: about.update(relative_file_paths=["bag_0.mcap"]))
    check_whole(path)
    (path / "bag_0.mcap").unlink()
    names = ["bag_0.mcap", "bag_1.mcap"]
    change_metadata(path, lambda about: about.update(relative_file_paths=names))
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert indices(frames) == [5, 6, 7, 8, 9]
    assert "bag_0.mcap must be a bag" in error
    assert "(it is missing)" in error


def test_an_empty_last_part_is_reported(tmp_path: Path) -> None:
    path = write_bag(tmp_path, camera_messages())
    storage_file(path).rename(path / "bag_0.mcap")
    (path / "bag_1.mcap").touch()
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert indices(frames) == list(range(10))
    assert "bag_1.mcap" in error


@pytest.mark.parametrize("rows_in_file", [0, 10])
def test_rows_in_the_write_ahead_log_of_a_killed_recorder(
    tmp_path: Path, rows_in_file: int
) -> None:
    whole = storage_file(write_bag(tmp_path, camera_messages(), "sqlite3"))
    folder = tmp_path / "killed"
    folder.mkdir()
    live = sqlite3.connect(tmp_path / "live.db3")
    live.execute("PRAGMA journal_mode=WAL")
    live.execute("PRAGMA wal_autocheckpoint=0")
    live.execute("ATTACH DATABASE ? AS whole", (str(whole),))
    tables = live.execute("SELECT name, sql FROM whole.sqlite_master WHERE type='table'")
    for name, sql in tables.fetchall():
        live.execute(sql)
        rows = "WHERE id <= 10" if name == "messages" else ""
        live.execute(f"INSERT INTO main.{name} SELECT * FROM whole.{name} {rows}")
    live.commit()
    if rows_in_file:
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    live.execute("INSERT INTO main.messages SELECT * FROM whole.messages WHERE id > 10")
    live.commit()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"live.db3{suffix}", folder / f"bag.db3{suffix}")
    live.close()
    before = contents(folder)
    check_whole(folder)
    check_whole(folder / "bag.db3")
    assert contents(folder) == before


def test_an_incomplete_transaction_is_rolled_back(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    file = storage_file(write_bag(tmp_path, camera_messages(), "sqlite3"))
    live = sqlite3.connect(file)
    live.execute("PRAGMA cache_size=2")  # so that pages are written before the commit
    live.execute("UPDATE messages SET data = zeroblob(4000), timestamp = 0")
    for suffix in ("", "-journal"):
        shutil.copy(f"{file}{suffix}", folder / f"bag.db3{suffix}")
    live.rollback()
    live.close()
    assert (folder / "bag.db3").read_bytes() != file.read_bytes()
    before = contents(folder)
    check_whole(folder)
    assert contents(folder) == before


@pytest.mark.parametrize("suffix", [".zstd", ".zst"])
@pytest.mark.parametrize("form", ["mcap", "sqlite3", "rosbag1"])
def test_a_compressed_file_alone(tmp_path: Path, form: str, suffix: str) -> None:
    file = storage_file(write_bag(tmp_path, camera_messages(ros1=form == "rosbag1"), form))
    packed = tmp_path / f"{file.name}{suffix}"
    content = file.read_bytes()
    packed.write_bytes(zstd.compress(content[:5000]) + zstd.compress(content[5000:]))
    check_whole(packed)
    with open_source(str(packed)) as source:
        assert len(list(source.frames)) == 10


def test_a_truncated_compressed_file_is_read_up_to_its_end(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, 200, 300, 3), np.uint8)
    sent = [
        Sent(IMAGE, make.image(START_NS + i * STEP_NS, pixels), START_NS + i * STEP_NS)
        for i, pixels in enumerate(noise)
    ]
    path = write_mcap(tmp_path / "bag.mcap", sent, Style(chunk_messages=1))
    packed = tmp_path / "cut.mcap.zstd"
    content = zstd.compress(path.read_bytes())
    packed.write_bytes(content[: len(content) // 2])
    with open_bag(packed) as bag:
        frames, _, error = read(bag)
    assert 2 <= len(frames) <= 5
    assert "cut.mcap.zstd must be a complete bag" in error


@pytest.mark.parametrize("form", ["mcap", "sqlite3-file-zstd", "sqlite3-message-zstd"])
def test_compressed_bags_need_no_metadata(tmp_path: Path, form: str) -> None:
    path = write_bag(tmp_path, camera_messages(), form)
    (path / "metadata.yaml").unlink()
    check_whole(path)
    check_whole(storage_file(path))


@pytest.mark.parametrize("name", ["bag.bag", "bag.bag.active"])
def test_a_rosbag1_whose_recorder_was_killed_before_the_index(tmp_path: Path, name: str) -> None:
    path = write_bag(tmp_path, camera_messages(ros1=True), "rosbag1")
    content = bytearray(path.read_bytes())
    place = content.index(b"index_pos=") + len(b"index_pos=")
    (index,) = struct.unpack_from("<Q", content, place)
    content[place : place + 8] = bytes(8)
    killed = path.with_name(name)
    killed.write_bytes(content)
    check_whole(killed)
    killed.write_bytes(content[:index])
    check_whole(killed)
    with open_source(str(killed)) as source:
        assert len(list(source.frames)) == 10


def test_a_rosbag1_whose_last_chunk_was_never_closed(tmp_path: Path) -> None:
    path = write_bag(tmp_path, camera_messages(ros1=True), "rosbag1")
    content = bytearray(path.read_bytes())
    place = content.index(b"index_pos=") + len(b"index_pos=")
    (index,) = struct.unpack_from("<Q", content, place)
    content[place : place + 8] = bytes(8)
    begin = content.index(b"compression=") - 4  # the chunk's header has three fields
    size = content.index(b"size=", begin) + len(b"size=")
    content[size : size + 4] = bytes(4)
    header = content.rindex(b"op=\x05", 0, index)
    (length,) = struct.unpack_from("<I", content, header - 8)
    end = header - 4 + length
    content[end : end + 4] = bytes(4)
    killed = tmp_path / "bag.bag.active"
    killed.write_bytes(content[:index])
    check_whole(killed)


CLOCKS = {  # which images have no timestamp, and which no recording time
    "neither before the clock runs": ({0, 1, 2}, {0, 1, 2}),
    "no stamps before the clock runs": ({0, 1, 2}, set()),
    "one without a stamp": ({6}, set()),
    "one with neither": ({6}, {6}),
    "recorded before the clock ran": (set(), {0, 1, 2}),
}


@pytest.mark.parametrize("clock_ns", [START_NS, 50 * 10**9])
@pytest.mark.parametrize(("stampless", "timeless"), CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("form", ["mcap", "sqlite3"])
def test_one_clock_for_all_images(
    tmp_path: Path, form: str, stampless: set[int], timeless: set[int], clock_ns: int
) -> None:
    stamps = [clock_ns + i * STEP_NS for i in range(10)]
    sent = [
        Sent(
            IMAGE,
            make.image(0 if i in stampless else stamp, picture(i)),
            0 if i in timeless else START_NS + i * STEP_NS,
        )
        for i, stamp in enumerate(stamps)
    ]
    kept = [i for i in range(10) if i not in stampless & timeless]
    said: list[str] = []
    with open_source(str(write_bag(tmp_path, sent, form)), report=said.append) as source:
        frames = list(source.frames)
        assert source.rate_hz == pytest.approx(10)
    assert indices(frames) == kept
    assert [frame.stamp_ns for frame in frames] == [stamps[i] for i in kept]
    assert len(said) == 10 - len(kept)
    assert all("before their clock started" in each for each in said)


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_clock_that_starts_at_0(tmp_path: Path, *, is_recorded: bool) -> None:
    sent = [
        Sent(IMAGE, make.image(i * STEP_NS, picture(i)), (START_NS * is_recorded) + i * STEP_NS)
        for i in range(10)
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, error = read(bag)
    assert [frame.stamp_ns for frame in frames] == [i * STEP_NS for i in range(10)]
    assert (reports, error) == ([], "")


def test_a_camera_info_without_timestamps_uses_the_images_clock(tmp_path: Path) -> None:
    sent = []
    for index in range(20):  # simulated time; a new calibration in the middle
        time = START_NS + index * STEP_NS
        info = make.info(0, focal=40.0 if index < 10 else 50.0)
        sent.append(Sent("/cam/camera_info", info, time))
        sent.append(Sent(IMAGE, make.image(5 * 10**9 + index * STEP_NS, picture(index)), time))
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, _ = read(bag)
    assert reports == []
    assert [f.camera.fx for f in frames if f.camera] == [40.0] * 10 + [50.0] * 10


def test_a_channel_without_type_is_reported(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "bag.mcap", camera_messages())
    typed, untyped = (channel(1, schema, "/cam/camera_info", "cdr") for schema in (1, 0))
    path.write_bytes(path.read_bytes().replace(typed, untyped))
    with open_bag(path) as bag:
        assert bag.foreign == {"/cam/camera_info": "cdr without a type"}
        assert indices(read(bag)[0]) == list(range(10))


def test_ignored_topics_are_reported(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), Style(others=("json",)))
    notes: list[tuple[str, str]] = []
    with open_bag(path) as bag:
        list(bag.read_frames(bag.cameras, note=lambda *each: notes.append(each)))
    assert notes == [("bag.mcap", "topics without ROS messages are ignored: /json (json)")]

"""Bags that were crafted, or damaged, to make reading fail."""

import resource
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backports import zstd

from smpler_model.bags import chunks
from smpler_model.bags.mcap import MAGIC
from smpler_model.bags.reader import open_bag
from smpler_model.bags.unpacking import MAX_UNPACKED, unpack
from smpler_model.source import SourceError
from tests.bag_writer import START_NS, Messages, Sent, camera_messages, storage_file, write_bag
from tests.mcap_writer import Style, message, record, text, write_mcap
from tests.smpler_model.bags.test_reader import IMAGE, indices, read

make = Messages()
SPACE = 1024**3


@contextmanager
def limited_memory(more: int = SPACE) -> Iterator[None]:
    """Limit the additional memory of this process, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def bomb(size: int, stated: int) -> bytes:
    """Return a chunk that expands to many zeros."""
    zeros = bytes(16 * 1024**2)
    packed = zstd.compress(zeros) * (size // len(zeros))  # several frames may follow one another
    head = struct.pack("<QQQI", 0, 2**62, stated, 0)
    return record(6, head + text("zstd") + struct.pack("<Q", len(packed)) + packed)


@pytest.mark.parametrize("stated", [1000, 6_200_000_000, 2**64 - 1])
def test_a_chunk_that_expands_to_gigabytes(tmp_path: Path, stated: int) -> None:
    whole = write_mcap(tmp_path / "whole.mcap", camera_messages(), Style(has_index=False))
    content = whole.read_bytes()
    path = tmp_path / "bomb.mcap"
    path.write_bytes(MAGIC + bomb(3 * 1024**3, stated) + content[len(MAGIC) :])
    assert path.stat().st_size < 1_000_000
    with limited_memory(), open_bag(path) as bag:
        frames, _, error = read(bag)
    assert indices(frames) == list(range(10))
    assert "bytes than stated" in error or "a chunk claims" in error


@pytest.mark.parametrize("compression", ["zstd", "lz4", "bz2"])
def test_decompression_stops_at_the_stated_size(compression: str) -> None:
    import bz2

    import lz4.frame

    pack = {"zstd": zstd.compress, "lz4": lz4.frame.compress, "bz2": bz2.compress}[compression]
    zeros = bytes(32 * 1024**2)
    packed = pack(zeros)
    with limited_memory(16 * 1024**2):
        assert unpack(compression, packed, 1000) == (
            bytes(1000),
            "a chunk contains more bytes than stated",
        )
    assert unpack(compression, pack(b"whole"), 5) == (b"whole", "")
    assert unpack(compression, pack(b"two") + pack(b"frames"), 9) == (b"twoframes", "")
    assert unpack(compression, pack(b"whole"), 6)[1] == "a chunk contains fewer bytes than stated"
    assert unpack(compression, packed[:-8], len(zeros))[1]
    assert unpack(compression, b"nonsense", 8)[1]
    assert unpack(compression, b"", MAX_UNPACKED + 1)[0] == b""


def test_a_chunk_of_millions_of_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smpler_model.bags.mcap.MAX_MESSAGES", 10)
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), Style(chunk_messages=20))
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert indices(frames) == list(range(5))
    assert "more than 10 messages are in one chunk" in error


def test_simultaneous_chunks_are_not_all_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_HELD_BYTES", 5000)
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), Style(chunk_messages=2))
    content = path.read_bytes()
    for each in camera_messages():
        stamp = struct.pack("<Q", each.time_ns)
        content = content.replace(stamp + struct.pack("<Q", each.time_ns + 1_000_000), bytes(16))
    path.write_bytes(content)
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert (indices(frames), error) == (list(range(10)), "")


SIZES = [0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("has_index", [True, False])
def test_damaged_sizes_of_mcap_records(tmp_path: Path, size: int, *, has_index: bool) -> None:
    style = Style(has_index=has_index, chunk_messages=4)
    content = write_mcap(tmp_path / "bag.mcap", camera_messages(), style).read_bytes()
    places, place = [], len(MAGIC)
    while place < len(content) - len(MAGIC):
        places.append(place + 1)
        place += 9 + struct.unpack_from("<Q", content, place + 1)[0]
    path = tmp_path / "damaged.mcap"
    for place in places:
        path.write_bytes(content[:place] + struct.pack("<Q", size) + content[place + 8 :])
        with limited_memory(256 * 1024**2):
            frames = read_what_there_is(path)
        assert indices(frames) == list(range(len(frames)))


@pytest.mark.parametrize("size", [0, 1, 2**31 - 1, 2**32 - 1])
def test_damaged_sizes_of_rosbag1_records(tmp_path: Path, size: int) -> None:
    path = write_bag(tmp_path, camera_messages(ros1=True), "rosbag1")
    content, place = path.read_bytes(), len(b"#ROSBAG V2.0\n")
    places = []
    while place < len(content):
        header = place + 4 + struct.unpack_from("<I", content, place)[0]
        places += [place, header]
        place = header + 4 + struct.unpack_from("<I", content, header)[0]
    for place in places:
        path.write_bytes(content[:place] + struct.pack("<I", size) + content[place + 4 :])
        with limited_memory(256 * 1024**2):
            read_what_there_is(path)


def read_what_there_is(path: Path) -> list:
    try:
        with open_bag(path) as bag:
            return read(bag)[0]
    except SourceError:
        return []


@pytest.mark.parametrize("has_index", [True, False])
def test_a_damaged_chunk_loses_only_its_own_images(tmp_path: Path, *, has_index: bool) -> None:
    style = Style(compression="lz4", has_index=has_index, chunk_messages=6)
    path = write_mcap(tmp_path / "bag.mcap", camera_messages(), style)
    content = bytearray(path.read_bytes())
    magic = b"\x04\x22\x4d\x18"
    place = content.index(magic, content.index(magic) + 1)  # of the second chunk
    content[place + 4 : place + 20] = b"\xff" * 16
    path.write_bytes(content)
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert indices(frames) == [0, 1, 2, 6, 7, 8, 9]
    assert "compressed bytes are damaged" in error


DEFINITIONS: dict[str, Callable[[str], str]] = {
    "a field of another name": lambda text: text.replace("uint32 height", "uint32 rows", 1),
    "a field in capitals": lambda text: text.replace("uint32 height", "uint32 Height", 1),
    "an encoding that is no text": lambda text: text.replace("string encoding", "uint8 encoding"),
    "a field less": lambda text: text.replace("uint32 step", ""),
    "no header": lambda text: text.replace("std_msgs/Header header", "uint8 header", 1),
    "another header": lambda text: text.replace("string frame_id", "string name"),
    "another time": lambda text: text.replace("uint32 nanosec", "uint32 ns"),
    "a huge array": lambda text: text.replace("uint32 step", "uint8[4000000000] step"),
}


@pytest.mark.parametrize("form", ["mcap", "sqlite3"])
@pytest.mark.parametrize("change", DEFINITIONS.values(), ids=DEFINITIONS)
def test_images_with_other_definitions_are_left_out_and_counted(
    tmp_path: Path, form: str, change: Callable[[str], str]
) -> None:
    definition = make.store.generate_msgdef("sensor_msgs/msg/Image", ros_version=2)[0]
    changed = change(definition)
    assert changed != definition
    path = tmp_path / "bag.mcap"
    if form == "mcap":
        write_mcap(path, [each for each in camera_messages() if each.topic == IMAGE])
        content = path.read_bytes()
        assert text(definition) in content
        write_mcap(
            path,
            [each for each in camera_messages() if each.topic == IMAGE],
            Style(definition=changed),
        )
    else:
        path = write_bag(tmp_path, camera_messages(), form)
        with sqlite3.connect(storage_file(path)) as database:
            database.execute(
                "UPDATE message_definitions SET encoded_message_definition = ? "
                "WHERE topic_type = 'sensor_msgs/msg/Image'",
                (changed,),
            )
    with open_bag(path) as bag:
        frames, reports, error = read(bag, image=IMAGE)
    assert frames == []
    assert len(reports) == 10
    assert "other fields" in reports[0] or "is unusable" in reports[0]
    assert f"readable images on {IMAGE}; the first:" in error


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("UPDATE messages SET data = NULL WHERE id = 8", 1),
        ("UPDATE messages SET data = 'text' WHERE id = 8", 1),
        ("UPDATE messages SET data = x'28b52ffd00' WHERE id = 8", 1),
        ("UPDATE messages SET timestamp = NULL WHERE id = 8", 0),
        ("UPDATE messages SET timestamp = 'noon' WHERE id = 8", 0),
        ("UPDATE messages SET timestamp = -1 WHERE id = 8", 0),
        ("INSERT INTO topics VALUES (9, NULL, 'a/msg/B', 'cdr', '', '')", 0),
        ("INSERT INTO topics VALUES (9, 'c', NULL, 'cdr', '', '')", 0),
        ("INSERT INTO topics VALUES (9, x'ff', 'a/msg/B', 'cdr', '', '')", 0),
        ("INSERT INTO topics VALUES (9, CAST(x'ff' AS TEXT), 'a/msg/B', 'cdr', '', '')", 0),
        ("INSERT INTO messages VALUES (99, 77, 5, x'00')", 0),
        ("UPDATE message_definitions SET encoding = NULL", 0),
        ("UPDATE message_definitions SET encoded_message_definition = x'ff'", 0),
        ("UPDATE topics SET offered_qos_profiles = NULL", 0),
        ("DROP TABLE message_definitions", 0),
        ("DROP INDEX timestamp_idx", 0),
        ("DELETE FROM topics WHERE name LIKE '%info'", 0),
    ],
)
def test_rows_with_invalid_values(tmp_path: Path, statement: str, lost: int) -> None:
    path = write_bag(tmp_path, camera_messages(), "sqlite3")
    with sqlite3.connect(storage_file(path)) as database:
        for table in ("topics", "message_definitions", "messages"):
            (sql,) = database.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
            ).fetchone()
            database.execute(f"ALTER TABLE {table} RENAME TO old")
            database.execute(sql.replace("NOT NULL", ""))
            database.execute(f"INSERT INTO {table} SELECT * FROM old")
            database.execute("DROP TABLE old")
        database.execute("CREATE INDEX IF NOT EXISTS timestamp_idx ON messages (timestamp ASC)")
        database.execute(statement)
    with open_bag(path) as bag:
        frames, reports, error = read(bag)
    assert len(frames) == 10 - lost
    assert sum("something else" in each for each in reports) == lost
    assert error == ""


COMPUTED = {
    "a view": "CREATE VIEW messages AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 "
    "FROM n) SELECT id, 1 AS topic_id, id AS timestamp, zeroblob(9) AS data FROM n",
    "a column": "CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id INTEGER, "
    "timestamp INTEGER, data BLOB GENERATED ALWAYS AS (zeroblob(900000000)))",
}


@pytest.mark.parametrize("statement", COMPUTED.values(), ids=COMPUTED)
def test_computed_messages_are_refused(tmp_path: Path, statement: str) -> None:
    path = write_bag(tmp_path, camera_messages(), "sqlite3")
    with sqlite3.connect(storage_file(path)) as database:
        database.execute("ALTER TABLE messages RENAME TO old")
        database.execute(statement)
    with (
        pytest.raises(SourceError, match="must be a bag, got one that cannot be read"),
        open_bag(path),
    ):
        pass


def test_messages_of_one_topic_and_two_types(tmp_path: Path) -> None:
    sent = camera_messages()
    path = write_mcap(tmp_path / "bag.mcap", sent)
    other = tmp_path / "bag_1.mcap"
    write_mcap(other, [Sent(IMAGE, make.info(START_NS), START_NS)])
    path.rename(tmp_path / "bag_0.mcap")
    with open_bag(tmp_path) as bag:
        frames, reports, error = read(bag)
    assert (indices(frames), error) == (list(range(10)), "")
    assert len(reports) == 1
    assert "must have one type" in reports[0]


def test_a_message_without_its_channel_is_reported(tmp_path: Path) -> None:
    content = write_mcap(
        tmp_path / "whole.mcap", camera_messages(), Style(has_index=False)
    ).read_bytes()
    path = tmp_path / "bag.mcap"
    end = record(15, bytes(4))
    path.write_bytes(content.replace(end, message(77, 5, b"data") + end))
    with open_bag(path) as bag:
        frames, _, error = read(bag)
    assert len(frames) == 10
    assert "channel is missing" in error


@pytest.mark.parametrize("form", ["zstd", "wal"])
def test_a_copy_larger_than_the_free_disk(tmp_path: Path, form: str) -> None:
    if form == "zstd":
        whole = write_mcap(tmp_path / "whole.mcap", camera_messages())
        path = tmp_path / "bag.mcap.zstd"
        path.write_bytes(zstd.compress(whole.read_bytes()))
    else:
        path = storage_file(write_bag(tmp_path, camera_messages(), "sqlite3"))
        path.with_name(path.name + "-wal").write_bytes(b"log")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(SourceError, match=r"space for a copy .* TMPDIR"), open_bag(path):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_decompression_leaves_some_disk_space_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smpler_model.bags.unpacking._LEFT_FREE", 2**62)
    whole = write_mcap(tmp_path / "whole.mcap", camera_messages())
    path = tmp_path / "bag.mcap.zstd"
    path.write_bytes(zstd.compress(whole.read_bytes()))
    with pytest.raises(SourceError, match="No space left on device"), open_bag(path):
        pass


@pytest.mark.parametrize("form", ["mcap", "sqlite3", "rosbag1"])
def test_line_breaks_in_names_are_escaped(tmp_path: Path, form: str) -> None:
    path = write_bag(tmp_path, camera_messages(2, ros1=form == "rosbag1"), form)
    file = storage_file(path)
    file.write_bytes(file.read_bytes().replace(b"/cam/image_raw", b"/cam\nimage\traw"))
    with open_bag(path) as bag, pytest.raises(SourceError) as raised:
        bag.choose_camera("/front")
    assert "\n" not in str(raised.value)
    assert "\ufffd" in str(raised.value)

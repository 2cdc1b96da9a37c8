"""Bags, intact and truncated."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from backports import zstd

from smpler_model.bags.reader import open_bag
from tests.bag_writer import camera_messages, storage_file, write_bag
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.target import Target, on_file
from tests.mcap_writer import Style, write_mcap

_IMAGES = 3


def mcap() -> Target:
    """MCAP with and without chunks, compression and index, and one with ROS 1 messages."""
    samples = [_write("mcap-zstd")]
    for style in (
        Style(),
        Style(compression="lz4", chunk_messages=2),
        Style(chunk_messages=0, has_index=False, others=("json",)),
        Style(profile="ros1", is_ros1=True, chunk_messages=3),
    ):
        with TemporaryDirectory() as folder:
            sent = camera_messages(_IMAGES, ros1=style.is_ros1)
            samples.append(write_mcap(Path(folder) / "bag.mcap", sent, style).read_bytes())
    return Target(on_file(_read, "bag.mcap"), samples, _mutate)


def compressed() -> Target:
    """MCAP compressed as a whole."""
    samples = [zstd.compress(_write(form)) for form in ("mcap", "mcap-zstd")]
    return Target(on_file(_read, "bag.mcap.zstd"), samples, _mutate)


def sqlite() -> Target:
    """SQLite, plain and with compressed messages."""
    samples = [_write("sqlite3"), _write("sqlite3-message-zstd")]
    return Target(on_file(_read, "bag.db3"), samples, _mutate)


def rosbag1() -> Target:
    """A ROS 1 bag, with and without its index."""
    whole = _write("rosbag1")
    place = whole.index(b"index_pos=") + len(b"index_pos=")
    end = int.from_bytes(whole[place : place + 8], "little")
    samples = [whole, whole[:place] + bytes(8) + whole[place + 8 : end]]
    return Target(on_file(_read, "bag.bag"), samples, _mutate)


def _mutate(sample: bytes, random: Random, samples: Sequence[bytes]) -> bytes:
    """Corrupt a bag, and truncate it first in one of three cases."""
    end = random.randrange(len(sample)) if random.random() < 0.3 else len(sample)
    return mutate_bytes(sample[:end], random, samples)


def _write(form: str) -> bytes:
    with TemporaryDirectory() as folder:
        sent = camera_messages(_IMAGES, ros1=form == "rosbag1")
        return storage_file(write_bag(Path(folder), sent, form)).read_bytes()


def _read(path: Path) -> None:
    """Read everything in a bag."""
    with open_bag(path) as bag:
        for camera in bag.cameras:
            bag.rate_hz(camera)
        list(bag.read_frames(bag.cameras))
        list(bag.read_messages(bag.topics))

"""Transforms of the input in the output bag."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.camera_poses import MOVING, STATIC
from smpler_model.bags.reader import open_bag
from smpler_model.cameras.messages import NS_PER_S, Message, stamp_ns_of
from smpler_model.frames import Frame
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.bags.transforms import TransformCopy
from smpler_ros.messages.convert import header_message, transforms_message
from smpler_ros.messages.hri import body_transforms
from smpler_ros.messages.message_types import MESSAGE_NAMES
from tests.bag_writer import START_NS, write_bag
from tests.random_people import random_people
from tests.smpler_model.bags.test_camera_poses import CLOCK_NS, MS, beside_a_lamp, robot

TF = MESSAGE_NAMES["tf_message"]
OTHERS = ("base_link", "person_3", "person_x/pelvis", "lamp/pelvis", "body_left", "person_3/wing")


def frame(types: object, stamp_ns: int, child: str) -> Message:
    header = header_message(types, stamp_ns, "map")  # type: ignore[arg-type]
    return types.transform_stamped(header=header, child_frame_id=child)  # type: ignore[attr-defined]


def copied(bag: Path, output: Path, skip: int = 0) -> tuple[dict[str, list[str]], int]:
    """Return the copied frames by topic, and the number of messages read."""
    with open_bag(bag) as reader:
        copy = TransformCopy(reader, skip)
        written = SegmentedBag(output)
        copy.follow(Frame(np.zeros((1, 1, 3), np.uint8), 10**10, recorded_ns=10**10))
        copy.copy(written)
        written.commit()
        written.close()
    with open_bag(output) as reader:
        found: dict[str, list[str]] = {MOVING: [], STATIC: []}
        for each in reader.read_messages([MOVING, STATIC]):
            found[each.topic] += [one.child_frame_id for one in each.message.transforms]
    return found, copy.count


def test_people_s_frames_are_not_copied(tmp_path: Path) -> None:
    """A bag recorded while the node ran contains its frames; the results have new ones."""
    people = random_people(2)
    with BagWriter(tmp_path / "bag") as writer:
        types = writer.types
        still = types.tf_message(transforms=[frame(types, 10**9, "camera")])
        writer.write(STATIC, TF, 10**9, still, latched=True)
        for step in range(3):
            stamp_ns = 10**9 + step
            header = header_message(types, stamp_ns, "camera")
            for prefix in ("", "robot/"):
                mine = transforms_message(types, header, people, prefix)
                writer.write(MOVING, TF, stamp_ns, mine)
            writer.write(MOVING, TF, stamp_ns, body_transforms(types, header, people))
            mixed = transforms_message(types, header, people)
            mixed.transforms = [*mixed.transforms, *(frame(types, stamp_ns, n) for n in OTHERS)]
            writer.write(MOVING, TF, stamp_ns, mixed)
    found, read = copied(tmp_path / "bag", tmp_path / "output")
    assert found == {MOVING: [*OTHERS] * 3, STATIC: ["camera"]}
    assert read == 12
    # A resumed run skips what was read, copied or not.
    found, read = copied(tmp_path / "bag", tmp_path / "rest", skip=5)
    assert found[MOVING] == [*OTHERS] * 2
    assert read == 12


CLOCKS: dict[str, Callable[[int], int]] = {
    "of the wall": lambda recorded_ns: recorded_ns,
    "none": lambda _: 0,
    "ahead": lambda recorded_ns: recorded_ns - START_NS + CLOCK_NS + NS_PER_S,
}


@pytest.mark.parametrize("slowness", [1, 5])
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_publisher_with_another_clock_keeps_none_back(
    clock: str, slowness: int, tmp_path: Path
) -> None:
    """All are copied, and the bag lasts as long as its images; what is sent later is left out."""
    sent = [*beside_a_lamp(CLOCKS[clock], slowness), robot(9000, slowness)]
    with open_bag(write_bag(tmp_path, sent)) as reader:
        copy, written = TransformCopy(reader), SegmentedBag(tmp_path / "output")
        for _, seen in reader.read_frames(reader.cameras):
            copy.follow(seen)
            copy.copy(written)
        copy.copy(written, is_last=True)
        written.commit()
        written.close()
    stamps_ns: dict[str, list[int]] = {}
    with open_bag(tmp_path / "output") as reader:
        assert (reader.start_ns, reader.end_ns) == (CLOCK_NS, CLOCK_NS + 910 * MS)
        for each in reader.read_messages([MOVING]):
            [link] = each.message.transforms
            stamps_ns.setdefault(link.child_frame_id, []).append(stamp_ns_of(link))
    assert stamps_ns["base"] == [CLOCK_NS + time_ms * MS for time_ms in range(0, 1000, 20)]
    assert len(stamps_ns["bulb"]) == len(stamps_ns["base"]) == copy.count // 2

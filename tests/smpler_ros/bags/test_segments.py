"""Bags written in several files, read back by `rosbags` and by this project's reader."""

from pathlib import Path

import pytest
import yaml
from rosbags.rosbag2 import Reader

from smpler_model.bags.reader import open_bag
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.messages.convert import header_message
from tests.full_disk import room_for

KIND = "std_msgs/msg/Header"


def write(bag: SegmentedBag, stamps: range, topic: str = "/a") -> None:
    for stamp in stamps:
        bag.write(topic, KIND, stamp, header_message(bag.types, stamp, "frame"))


def stamps_in(folder: Path, topic: str = "/a") -> list[int]:
    with Reader(folder) as reader:
        connections = [each for each in reader.connections if each.topic == topic]
        stamps = [stamp for _, stamp, _ in reader.messages(connections)]
        assert len(stamps) == sum(each.msgcount for each in connections)
        return stamps


def test_each_commit_leaves_a_valid_bag(tmp_path: Path) -> None:
    bag = SegmentedBag(tmp_path / "bag")
    assert not (tmp_path / "bag").exists()
    write(bag, range(10, 13))
    bag.commit()
    assert stamps_in(bag.folder) == [10, 11, 12]
    write(bag, range(13, 20))
    assert stamps_in(bag.folder) == [10, 11, 12]
    write(bag, range(15, 16), "/b")
    bag.commit()
    bag.commit()  # nothing new, hence no file
    assert stamps_in(bag.folder) == list(range(10, 20))
    assert stamps_in(bag.folder, "/b") == [15]
    write(bag, range(20, 25))
    bag.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bag"]
    assert sorted(file.name for file in bag.folder.iterdir()) == [
        "bag_0.mcap",
        "bag_1.mcap",
        "metadata.yaml",
    ]
    with open_bag(bag.folder) as reader:
        assert (reader.start_ns, reader.end_ns) == (10, 19)
        assert reader.topics["/a"].count == 10


def test_a_killed_run_is_rolled_back_to_its_checkpoint(tmp_path: Path) -> None:
    first = SegmentedBag(tmp_path / "bag")
    write(first, range(3))
    first.commit()
    kept = first.information
    write(first, range(3, 6))
    first.commit()
    first.close()  # killed before it wrote its checkpoint
    second = SegmentedBag(tmp_path / "bag", kept)
    assert stamps_in(second.folder) == [0, 1, 2]
    write(second, range(3, 4))
    second.commit()
    second.close()
    assert stamps_in(second.folder) == [0, 1, 2, 3]


def test_a_new_run_removes_the_old_files(tmp_path: Path) -> None:
    first = SegmentedBag(tmp_path / "bag")
    write(first, range(3))
    first.commit()
    first.close()
    SegmentedBag(tmp_path / "bag").close()
    assert list((tmp_path / "bag").iterdir()) == []


def test_a_disk_that_is_full_at_a_commit_is_what_is_reported(tmp_path: Path) -> None:
    bag = SegmentedBag(tmp_path / "bag", compress=False)
    for stamp in range(100):
        bag.write("/a", KIND, stamp, header_message(bag.types, stamp, 1000 * "x"))
    with room_for(40_000):
        with pytest.raises(OSError, match="File too large"):
            bag.commit()
        bag.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compress", [True, False])
def test_files_contain_definitions_and_qos(compress: bool, tmp_path: Path) -> None:
    bag = SegmentedBag(tmp_path / "bag", compress=compress)
    bag.write(
        "/tf_static",
        "tf2_msgs/msg/TFMessage",
        5,
        bag.types.tf_message(transforms=[]),
        latched=True,
    )
    bag.write("/people", "smpler_msgs/msg/SmplPersonArray", 6, bag.types.person_array(people=[]))
    bag.commit()
    bag.close()
    with Reader(bag.folder / "bag_0.mcap") as reader:  # a file by itself, as Foxglove opens it
        definitions = {each.topic: each.msgdef.data for each in reader.connections}
    assert "float32[72] pose" in definitions["/people"]
    metadata = yaml.safe_load((bag.folder / "metadata.yaml").read_text())
    topics = metadata["rosbag2_bagfile_information"]["topics_with_message_count"]
    qos = {
        each["topic_metadata"]["name"]: yaml.safe_load(
            each["topic_metadata"]["offered_qos_profiles"]
        )[0]
        for each in topics
    }
    transient_local, volatile = 1, 2  # rmw_qos_durability_policy_t
    assert qos["/tf_static"]["durability"] == transient_local
    assert qos["/people"]["durability"] == volatile

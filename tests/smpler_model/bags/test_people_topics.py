"""People in bags, also in those that earlier versions recorded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from smpler_model.bags.people_topics import PEOPLE_TYPE, people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.frames import details_of
from tests.bag_writer import START_NS

FIRST = Path(__file__).parents[2] / "data" / "first_smpler_msgs"
"""The definitions before the fixed frame, the floor, feet and confidences."""

TOPIC = "/people"


def first_store(stores: Stores) -> Typestore:
    """Return a typestore with the first definitions."""
    store = get_typestore(stores)
    for path in sorted(FIRST.glob("*.msg")):
        store.register(get_types_from_msg(path.read_text(), f"smpler_msgs/msg/{path.stem}"))
    return store


def first_message(store: Typestore, ids: list[int]) -> Any:  # noqa: ANN401 - a message
    """Return people with distinct numbers in every field."""
    types = store.types
    rng = np.random.default_rng(0)
    lengths = {
        "box_xyxy": 4,
        "betas": 10,
        "pose": 72,
        "translation": 3,
        "translation_covariance": 9,
        "weak_camera": 3,
        "joints": 72,
        "keypoints": 48,
        "vertices": 0,
    }
    doubles = ("translation", "translation_covariance")
    people = [
        types["smpler_msgs/msg/SmplPerson"](
            id=id_,
            tracking_state=1,
            score=0.75,
            translation_source=1,
            **{
                name: rng.uniform(-1, 1, n).astype(np.float64 if name in doubles else np.float32)
                for name, n in lengths.items()
            },
        )
        for id_ in ids
    ]
    first = {"seq": 0} if "seq" in types["std_msgs/msg/Header"].__dataclass_fields__ else {}
    stamp = types["builtin_interfaces/msg/Time"](*divmod(START_NS, 10**9))
    header = types["std_msgs/msg/Header"](**first, stamp=stamp, frame_id="optical")
    return types[PEOPLE_TYPE](header=header, model="first", people=people)


def record(folder: Path, form: str) -> tuple[Path, Any]:
    """Write a bag as a recorder did with the first definitions; return it and its message."""
    is_ros1 = form == "rosbag1"
    store = first_store(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_JAZZY)
    message = first_message(store, [4, 9])
    path = folder / ("old.bag" if is_ros1 else "old")
    writer: Any = (
        Writer1(path)
        if is_ros1
        else Writer2(path, version=9, storage_plugin=StoragePlugin[form.upper()])
    )
    with writer:
        connection = writer.add_connection(TOPIC, PEOPLE_TYPE, typestore=store)
        data = (store.serialize_ros1 if is_ros1 else store.serialize_cdr)(message, PEOPLE_TYPE)
        writer.write(connection, START_NS, data)
    return path, message


@pytest.mark.parametrize("form", ["mcap", "sqlite3", "rosbag1"])
def test_bags_of_the_first_definition_are_read(form: str, tmp_path: Path) -> None:
    path, written = record(tmp_path, form)
    with open_bag(path) as bag:
        assert bag.damage is None
        (read,) = [each.message for each in bag.read_messages([TOPIC])]
    assert (stamp_ns_of(read), read.header.frame_id, read.model) == (START_NS, "optical", "first")
    people = people_from_message(read)
    assert people.ids.tolist() == [4, 9]
    for row, person in enumerate(written.people):
        np.testing.assert_array_equal(people.betas[row], person.betas)
        np.testing.assert_array_equal(people.translations_m[row], person.translation)
        np.testing.assert_array_equal(people.joints_m[row].ravel(), person.joints)
        np.testing.assert_array_equal(people.keypoints_px[row].ravel(), person.keypoints)
    assert people.motion is None
    assert all(np.isnan(values).all() for values in details_of(people).values())

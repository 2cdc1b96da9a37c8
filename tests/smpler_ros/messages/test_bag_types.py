"""Message classes of rosbags."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

import smpler_ros.messages.bag_types
from smpler_ros.messages.bag_types import bag_constructor, register_smpler_msgs

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "name",
    sorted(n for n in get_typestore(Stores.ROS2_JAZZY).types if "/msg/" in n),
)
def test_every_message_has_serialisable_defaults(name: str) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    message = bag_constructor(store, name)()
    raw = store.serialize_cdr(message, name)
    assert store.serialize_cdr(store.deserialize_cdr(raw, name), name) == raw


def test_given_fields_are_kept() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    point = bag_constructor(store, "geometry_msgs/msg/Point")(y=2.0)
    assert (point.x, point.y, point.z) == (0, 2, 0)


def test_defaults_are_not_shared() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    create = bag_constructor(store, "sensor_msgs/msg/CameraInfo")
    create().k[0] = 5
    assert create().k[0] == 0


def test_registering_twice_is_allowed() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    register_smpler_msgs(store)
    register_smpler_msgs(store)
    person = bag_constructor(store, "smpler_msgs/msg/SmplPerson")()
    assert (person.pose.shape, person.pose.dtype) == ((72,), np.float32)


def test_definitions_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "prefix" / "share" / "smpler_msgs" / "msg"
    installed.mkdir(parents=True)
    elsewhere = tmp_path / "lib" / "smpler_ros" / "messages" / "bag_types.py"
    monkeypatch.setattr(smpler_ros.messages.bag_types, "__file__", str(elsewhere))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path / 'prefix'}")
    store = get_typestore(Stores.ROS2_JAZZY)
    with pytest.raises(FileNotFoundError, match="definitions of smpler_msgs must be in one of"):
        register_smpler_msgs(store)
    for definition in (ROOT / "smpler_msgs" / "msg").glob("*.msg"):
        (installed / definition.name).write_text(definition.read_text())
    register_smpler_msgs(store)
    assert "smpler_msgs/msg/SmplPersonArray" in store.types

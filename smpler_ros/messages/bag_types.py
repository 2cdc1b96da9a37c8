"""The message classes of a `rosbags` typestore, with default values."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from smpler_model.cameras.messages import Message
from smpler_ros.messages.message_types import MESSAGE_NAMES, Constructor, MessageTypes

Default: TypeAlias = Any
"""Default value of a field."""

_PACKAGE = "smpler_msgs"
_BYTES = ("byte", "char", "octet")


def message_types_from_rosbags(store: Typestore) -> MessageTypes:
    """Return the classes of a typestore, after `register_smpler_msgs`."""

    def serialize(message: Message) -> bytes:
        return bytes(store.serialize_cdr(message, message.__msgtype__))

    classes = {field: bag_constructor(store, name) for field, name in MESSAGE_NAMES.items()}
    return MessageTypes(**classes, sequence=np.ascontiguousarray, serialize=serialize)


def register_smpler_msgs(store: Typestore) -> None:
    """Register the messages of `smpler_msgs` in a typestore that lacks them.

    Raises:
        FileNotFoundError: the definitions are neither in the source tree nor installed.
    """
    for path in sorted(_definitions_folder().glob("*.msg")):
        name = f"{_PACKAGE}/msg/{path.stem}"
        if name not in store.types:
            store.register(get_types_from_msg(path.read_text(), name))


def bag_constructor(store: Typestore, name: str) -> Constructor:
    """Return a constructor with zeros, empty strings and empty lists as default values.

    Args:
        store: the typestore.
        name: name of the message type, such as `std_msgs/msg/Header`.
    """
    kind = store.types[name]
    makers = {field: _maker(store, node) for field, node in store.fielddefs[name][1]}

    def create(**given: object) -> Message:
        missing = {field: make() for field, make in makers.items() if field not in given}
        return kind(**given, **missing)  # type: ignore[arg-type]

    return create


def _maker(store: Typestore, node: Any) -> Callable[[], Default]:  # noqa: ANN401
    """Return the factory of a field's default value; `node` is rosbags' description of it."""
    kind, description = node
    if kind == Nodetype.NAME:
        return bag_constructor(store, description)
    if kind == Nodetype.BASE:
        numbers = {"string": str, "bool": bool, "float32": float, "float64": float}
        return numbers.get(description[0], int)
    item, length = description
    count = length if kind == Nodetype.ARRAY else 0
    if item[0] == Nodetype.BASE and item[1][0] != "string":
        dtype = np.dtype("uint8" if item[1][0] in _BYTES else item[1][0])
        return lambda: np.zeros(count, dtype)
    make = _maker(store, item)
    return lambda: [make() for _ in range(count)]


def _definitions_folder() -> Path:
    """Return the folder of the definitions: in the source tree, or as installed by colcon."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders = [
        Path(__file__).parents[2] / _PACKAGE / "msg",
        *(Path(prefix) / "share" / _PACKAGE / "msg" for prefix in prefixes if prefix),
    ]
    for folder in folders:
        if (folder / "SmplPersonArray.msg").exists():
            return folder
    raise FileNotFoundError(
        f"the definitions of {_PACKAGE} must be in one of {', '.join(map(str, folders))}, got "
        "none; source the workspace in which it was built"
    )

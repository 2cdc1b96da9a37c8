"""Deserialises messages with the definitions in the bag."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from smpler_model.bags.storage import Definition, RawMessage, TypeKey, brief
from smpler_model.bags.unpacking import ZSTD_MAGIC, DamageError, unpack
from smpler_model.cameras.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rosbags.interfaces.typing import Typesdict
    from rosbags.typesys.store import Typestore

_IDL_RULE = "=" * 80 + "\n"  # between the parts of an IDL definition in a bag
_MAX_DEFINITION = 256 * 1024  # characters; definitions in ROS have a few thousand
_READ = frozenset(
    {
        *("std_msgs/msg/Header", "builtin_interfaces/msg/Time", "tf2_msgs/msg/TFMessage"),
        *(f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")),
        "sensor_msgs/msg/RegionOfInterest",
        *("geometry_msgs/msg/TransformStamped", "geometry_msgs/msg/Transform"),
        *("geometry_msgs/msg/Vector3", "geometry_msgs/msg/Quaternion"),
    }
)
"""Message types that this project reads; they are the same in all ROS versions."""


class MessageError(ValueError):
    """A message cannot be decoded; the error says why."""


class MessageDecoder:
    """Deserialises messages. Types are set up on first use.

    A bag's own definition is used. If it has none (rosbag2 before Iron writes none into SQLite) or
    an invalid one, the definition of ROS's common packages is used. For the types that this
    project reads, the fields must equal those in ROS.
    """

    def __init__(self, definitions: Mapping[TypeKey, Definition]) -> None:
        """Store the definitions.

        Args:
            definitions: message definitions in the bag.
        """
        self._definitions = definitions

    def decode(self, raw: RawMessage) -> Message:
        """Return the message.

        Raises:
            MessageError: its type is unknown, or its bytes do not match the type.
        """
        store = _typestore(
            raw.type, self._definitions.get((raw.type, raw.is_ros1)), is_ros1=raw.is_ros1
        )
        if isinstance(store, str):
            raise MessageError(
                f"messages must be of a known type, got {raw.type}: {store}; record the bag with "
                "its definitions, as mcap does"
            )
        data = raw.data
        try:
            if raw.is_ros1:
                return store.deserialize_ros1(data, raw.type)
            if data.startswith(ZSTD_MAGIC):  # no CDR begins like this: the message is compressed
                unpacked, damage = unpack("zstd", data)
                if damage:
                    raise DamageError(damage)
                return store.deserialize_cdr(unpacked, raw.type)
            return store.deserialize_cdr(data, raw.type)
        except Exception as error:  # rosbags raises various errors for invalid bytes
            raise MessageError(
                f"a message must hold a {raw.type}, got {len(raw.data)} bytes of something else "
                f"({brief(error)}); check the recorder"
            ) from error


@lru_cache(maxsize=256)
def _typestore(name: str, definition: Definition | None, *, is_ros1: bool) -> Typestore | str:
    """Return a typestore with the type, or the reason why there is none."""
    usual = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.LATEST).fielddefs
    store = get_typestore(Stores.EMPTY)
    try:
        types = _choose(name, definition, usual)
        _check_fields(types, usual)
        store.register(_with_parts(types, usual, store.fielddefs))
    except Exception as error:  # rosbags also raises its parser's errors
        return brief(error)
    return store


def _choose(name: str, definition: Definition | None, usual: Typesdict) -> Typesdict:
    """Return a type and those it depends on, from the bag or from ROS.

    Raises:
        MessageError: neither defines it.
    """
    reason = "the bag does not define it"
    if definition is not None:
        try:
            types = _parse(name, definition)
        except Exception as error:  # rosbags also raises its parser's errors
            reason = f"its definition is unusable ({brief(error)})"
        else:
            if name in types and (types[name][1] or name not in usual):
                return types
    if name not in usual:
        raise MessageError(reason)
    return {name: usual[name]}


def _check_fields(types: Typesdict, usual: Typesdict) -> None:
    """Refuse types whose fields differ from those that this project reads.

    Raises:
        MessageError: a type differs.
    """
    for name in _READ.intersection(types, usual):
        expected, fields = _fields(usual, name), _fields(types, name)
        if fields != expected:
            other = next((field for field, form in expected if (field, form) not in fields), "")
            raise MessageError(
                f"its definition has other fields in {name} than ROS"
                + (f", where there is '{other}'" if other else "")
            )


def _fields(types: Typesdict, name: str) -> list[tuple[str, object]]:
    """Return names and types of fields; ROS 1 writes matrices in capitals."""
    fields = types[name][1]
    return [(field.lower() if len(field) == 1 else field, form) for field, form in fields]


def _with_parts(types: Typesdict, usual: Typesdict, known: Typesdict) -> Typesdict:
    """Return types with all types they contain, except known ones."""
    needed: Typesdict = {}
    names = list(types)
    while names:
        name = names.pop()
        definition = types.get(name) or usual.get(name)
        if name not in known and name not in needed and definition is not None:
            needed[name] = definition
            names += (part for _, form in definition[1] for part in _names_in(form))
    return needed


def _names_in(form: object) -> Iterator[str]:
    """Yield the names of types in a field's type as parsed by rosbags."""
    kind, content = cast("tuple[Nodetype, Any]", form)
    if kind == Nodetype.NAME:
        yield content
    elif kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        yield from _names_in(content[0])


def _parse(name: str, definition: Definition) -> Typesdict:
    if len(definition.text) > _MAX_DEFINITION:
        raise MessageError(f"it has {len(definition.text)} characters")
    if not definition.is_idl:
        return get_types_from_msg(definition.text, name)
    if not definition.text.startswith(_IDL_RULE):
        return get_types_from_idl(definition.text)
    types: Typesdict = {}
    for part in definition.text.split(_IDL_RULE)[1:]:
        types |= get_types_from_idl(part.partition("\n")[2])
    return types

"""Messages from their serialised form, with the definitions that a bag brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from smpler_model.bags.files import brief
from smpler_model.bags.recovery import Definition, RawMessage
from smpler_model.cameras.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosbags.interfaces.typing import Typesdict

_IDL_RULE = "=" * 80 + "\n"  # between the parts of an IDL definition in a bag


class MessageError(ValueError):
    """A message cannot be read; the message says why."""


class MessageDecoder:
    """Deserialises messages. Types are looked up at their first use.

    A bag's own definition decides; where it has none (rosbag2 before Iron wrote none into SQLite),
    that of the common packages of ROS does.
    """

    def __init__(self, definitions: Mapping[str, Definition], *, is_ros1: bool) -> None:
        """Prepare.

        Args:
            definitions: of the bag.
            is_ros1: messages are in ROS 1's form, not in CDR.
        """
        self._definitions, self._is_ros1 = definitions, is_ros1
        self._store = get_typestore(Stores.EMPTY)
        self._usual = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.LATEST)
        self._refused: dict[str, str] = {}

    def decode(self, raw: RawMessage) -> Message:
        """Return the message.

        Raises:
            MessageError: its type is unknown, or its bytes do not fit.
        """
        self._learn(raw.type)
        try:
            if self._is_ros1:
                return self._store.deserialize_ros1(raw.data, raw.type)
            return self._store.deserialize_cdr(raw.data, raw.type)
        except Exception as error:  # rosbags raises what the wrong bytes lead to
            raise MessageError(
                f"a message must hold a {raw.type}, got {len(raw.data)} bytes of something else "
                f"({brief(error)}); check what recorded it"
            ) from error

    def _learn(self, name: str) -> None:
        """Add a type and those that it is made of."""
        if name in self._store.fielddefs:
            return
        if name not in self._refused:
            definition = self._definitions.get(name)
            try:
                types = _parse(name, definition) if definition else self._usual.fielddefs
                known = self._store.fielddefs
                self._store.register({key: types[key] for key in types if key not in known})
            except Exception as error:  # rosbags raises errors of its parser, too
                self._refused[name] = f"its definition cannot be used ({brief(error)})"
        if name not in self._store.fielddefs:
            reason = self._refused.setdefault(name, "the bag does not define it")
            raise MessageError(
                f"messages must be of a known type, got {name}: {reason}; record the bag with "
                "its definitions, as mcap does"
            )


def _parse(name: str, definition: Definition) -> Typesdict:
    if not definition.is_idl:
        return get_types_from_msg(definition.text, name)
    if not definition.text.startswith(_IDL_RULE):
        return get_types_from_idl(definition.text)
    types: Typesdict = {}
    for part in definition.text.split(_IDL_RULE)[1:]:
        types |= get_types_from_idl(part.partition("\n")[2])
    return types

"""Settings as the ROS parameters of a node: declared, checked, and changed while it runs."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from smpler_model.settings.parameter_file import ANY_NODE
from smpler_model.settings.setting import Setting, Settings, check_names, table_of

S = TypeVar("S", bound=Settings)


class RosParameters(Generic[S]):
    """The settings of a node, from its parameters.

    Settings that are not live can change only while the node is unconfigured, because configuring
    uses them.

    Attributes:
        settings: current settings.
    """

    def __init__(
        self,
        node: Node,
        kind: type[S],
        is_configured: Callable[[], bool],
        apply: Callable[[S], None],
        ignored: Collection[str] = (),
    ) -> None:
        """Declare a parameter for every setting, with the value from command line or file.

        Args:
            node: node that declares the parameters.
            kind: class of the settings.
            is_configured: returns whether only live settings may change now.
            apply: called with the settings when some changed.
            ignored: names without effect, of another node that shares the parameter file.

        Raises:
            ValueError: an invalid value, or an unknown parameter name.
        """
        self._table = {each.name: each for each in table_of(kind)}
        self._is_configured = is_configured
        self._apply = apply
        given = _given_values(node)
        unknown = (name for name in given if name not in ignored and not node.has_parameter(name))
        check_names(unknown, [*self._table, *ANY_NODE])
        self.settings = kind.from_values({k: v for k, v in given.items() if k in self._table})
        for each in self._table.values():
            value = getattr(self.settings, each.name)
            node.declare_parameter(
                each.name,
                list(value) if isinstance(value, tuple) else value,
                describe(each),
                ignore_override=True,  # the value already is the override, with the right type
            )
        node.add_on_set_parameters_callback(self._change)

    def _change(self, changed: list[Parameter[Any]]) -> SetParametersResult:
        """Validate new values; apply all, or none with the reason."""
        ours = {each.name: _value_of(each) for each in changed if each.name in self._table}
        fixed = [name for name in ours if not self._table[name].live]
        if fixed and self._is_configured():
            return SetParametersResult(
                successful=False,
                reason=f"{fixed[0]} is read when the node is configured and cannot change now; "
                "deactivate and clean up the node first, or start it with the value",
            )
        try:
            settings = replace(self.settings, **ours)
            if self._is_configured():
                settings.check_use()
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if settings != self.settings:
            self.settings = settings
            self._apply(settings)
        return SetParametersResult(successful=True)


def describe(each: Setting) -> ParameterDescriptor:
    """Return a descriptor for `ros2 param describe`.

    Types are dynamic where rclpy is stricter than the settings, which check types themselves: it
    rejects an integer for a float, and cannot determine the type of an empty list.
    """
    unit = f" Unit: {each.unit}." if each.unit else ""
    when = " Can change at runtime." if each.live else ""
    descriptor = ParameterDescriptor(
        description=each.description + unit + when,
        dynamic_typing=each.is_list or each.kind is float,
    )
    if each.choices:
        descriptor.additional_constraints = f"one of {', '.join(each.choices)}"
    low, high = each.minimum, each.maximum
    if low is not None and high is not None:
        if each.kind is float:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=1)
            ]
    return descriptor


def _given_values(node: Node) -> dict[str, object]:
    """Return a node's parameters from command line and files, declared or not.

    rclpy has no public API for it that supports empty lists and unknown names.
    """
    overrides: dict[str, Parameter[Any]] = node._parameter_overrides
    return {
        name: _value_of(each)
        for name, each in overrides.items()
        if name.partition(".")[0] not in ANY_NODE
    }


def _value_of(parameter: Parameter[Any]) -> object:
    """Return a parameter's value; one without a type was an empty list."""
    return [] if parameter.type_ == Parameter.Type.NOT_SET else parameter.value

"""A node's parameters: declared from the table, checked, and changed while it runs."""

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from smpler_model.parameters import Parameter, Value, check_values


class NodeSettings:
    """The values of a node's parameters.

    State are the values, by name. Those that are not live change only while the node is not
    configured, because they were used then.
    """

    def __init__(
        self,
        node: Node,
        table: Sequence[Parameter],
        is_configured: Callable[[], bool],
        apply: Callable[[dict[str, Value]], None],
    ) -> None:
        """Declare.

        Args:
            node: whose parameters they are.
            table: the parameters.
            is_configured: whether only live ones may change now.
            apply: gets all values when some changed.

        Raises:
            ValueError: a value from the command line or a file that its parameter refuses.
        """
        self._table = {parameter.name: parameter for parameter in table}
        self._is_configured = is_configured
        self._apply = apply
        given: dict[str, Any] = {}
        for parameter in table:
            default = parameter.default
            declared: RosParameter[Any] = node.declare_parameter(
                parameter.name,
                list(default) if isinstance(default, tuple) else default,
                describe(parameter),
            )
            given[parameter.name] = declared.value
        self.values = check_values(given, table)
        node.add_on_set_parameters_callback(self._change)

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def _change(self, changed: list[RosParameter[Any]]) -> SetParametersResult:
        """Check new values; use them all, or none and say why."""
        ours = {p.name: p.value for p in changed if p.name in self._table}
        fixed = [name for name in ours if not self._table[name].live]
        if fixed and self._is_configured():
            return SetParametersResult(
                successful=False,
                reason=f"{fixed[0]} is used when the node is configured and cannot change now; "
                "deactivate and clean up the node first, or start it with the value",
            )
        try:
            values = check_values(self.values | ours, self._table.values())
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if values != self.values:
            self.values = values
            self._apply(values)
        return SetParametersResult(successful=True)


def describe(parameter: Parameter) -> ParameterDescriptor:
    """Return what `ros2 param describe` shows."""
    unit = f" Unit: {parameter.unit}." if parameter.unit else ""
    when = " Can change at any time." if parameter.live else ""
    descriptor = ParameterDescriptor(description=parameter.description + unit + when)
    if parameter.choices:
        descriptor.additional_constraints = f"one of {', '.join(parameter.choices)}"
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        if isinstance(parameter.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=1)
            ]
    return descriptor

"""Timers on a clock that nobody sets.

A node's own clock may be a simulated one that stands still, and the system's may be set back: a
timer on either would then wait for ever, or for as long as that was.
"""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # Humble has it only there
from rclpy.node import Node
from rclpy.timer import Timer


def create_steady_timer(node: Node, period_s: float, callback: Callable[[], None]) -> Timer:
    """Return a timer of a node that calls once a period, seconds."""
    steady = Clock(clock_type=ClockType.STEADY_TIME)
    return node.create_timer(period_s, callback, clock=steady)

"""Timers on a steady clock.

A node's own clock may be a paused simulated one, and the system's may be set back: a timer on
either would then wait forever, or until the old time is reached again.
"""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # Humble has it only there
from rclpy.node import Node
from rclpy.timer import Timer


def create_steady_timer(node: Node, period_s: float, callback: Callable[[], None]) -> Timer:
    """Return a node's timer with a period, seconds."""
    steady = Clock(clock_type=ClockType.STEADY_TIME)
    return node.create_timer(period_s, callback, clock=steady)

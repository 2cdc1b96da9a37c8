"""Run a node as a process that stops cleanly on SIGINT and SIGTERM."""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

_STEP_S = 0.2  # the longest that a signal may go unheard


class ManagedNode(LifecycleNode):
    """A lifecycle node with a parameter `autostart`, which `run_node` starts and closes."""

    def start(self) -> bool:
        """Configure and activate, if the parameter `autostart` says so.

        Returns:
            False when a transition failed; the reason is in the log.
        """
        if not self.get_parameter("autostart").value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def close(self) -> None:
        """Stop threads and release what was opened; the node is destroyed afterwards."""


def run_node(create: Callable[[], ManagedNode], arguments: Sequence[str] | None = None) -> int:
    """Create a node, start it, spin until a signal or a shutdown, close it.

    The executor runs in a thread of its own and rclpy's signal handlers stay off: a signal then
    only ends the wait below, nothing is shut down under a running callback, and every step of the
    way out is made in order.

    Args:
        create: Creates the node.
        arguments: Command line, for remappings and parameters; that of the process by default.

    Returns:
        The exit status: 1 when the node could not start, or a callback failed.
    """
    # Not an Event: a signal in the moment when the wait begins would find its lock taken.
    stop: SimpleQueue[None] = SimpleQueue()

    def request_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.put(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    try:
        rclpy.init(
            args=sys.argv if arguments is None else list(arguments),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        node = create()
    except (ValueError, ParameterException, RuntimeError) as error:
        get_logger("smpler_ros").fatal(f"the node cannot start: {error}")
        rclpy.try_shutdown()
        return 1
    went_well = node.start() and _spin(node, stop)
    node.close()
    node.destroy_node()
    rclpy.try_shutdown()
    return 0 if went_well else 1


def _spin(node: ManagedNode, stop: SimpleQueue[None]) -> bool:
    """Spin until it is time to stop; return False when a callback failed before."""
    crashed = threading.Event()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stopped: Future[None] = Future()

    def spin() -> None:
        try:
            executor.spin_until_future_complete(stopped)
        except ExternalShutdownException:
            node.get_logger().info("the ROS context was shut down")
        except Exception as error:
            crashed.set()
            node.get_logger().fatal(f"a callback failed: {type(error).__name__}: {error}")
            raise  # an error of the program: the thread prints where it was
        finally:
            stop.put(None)

    thread = threading.Thread(target=spin, name="executor")
    thread.start()
    wait_for_stop(stop)
    stopped.set_result(None)
    thread.join()
    executor.shutdown()
    return not crashed.is_set()


def wait_for_stop(stop: SimpleQueue[None]) -> None:
    """Wait, in the main thread, until a signal's handler or another thread asks to stop.

    A signal that comes just before the wait begins, or to another thread, does not end it: Python
    runs handlers between two of the main thread's steps, so the thread takes one now and then.
    """
    while True:
        with suppress(Empty):
            stop.get(timeout=_STEP_S)
            return

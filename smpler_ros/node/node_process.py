"""Runs a node as a process that stops cleanly on SIGINT and SIGTERM."""

import faulthandler
import os
import signal
import sys
import threading
import time
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

from smpler_ros.node.start_faults import check_domain, explain

_STEP_S = 0.2  # longest delay in handling a signal
_GRACE_S = 1.5  # time after a signal for a step at the start, and for the executor
_LONGEST_S = 8.0  # time after a signal for everything; `docker stop` kills after 10 s


class ManagedNode(LifecycleNode):
    """A lifecycle node with a parameter `autostart`, which `run_node` starts and closes."""

    def start(self) -> bool:
        """Configure and activate, if the parameter `autostart` is set.

        Returns:
            False if a transition failed; the reason is in the log.
        """
        if not self.get_parameter("autostart").value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def close(self) -> None:
        """Stop threads and release resources; the node is destroyed afterwards."""

    def destroy_node(self) -> None:
        """Destroy the node and its state machine, which rclpy leaves alive.

        It would keep the DDS participant, whose shared memory then outlives the process: up to
        70 MB for every run of a node.
        """
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()


def run_node(
    create: Callable[[], ManagedNode],
    arguments: Sequence[str] | None = None,
    *,
    name: str = "smpler_ros",
) -> int:
    """Create a node, start it, spin until a signal or a shutdown, close it.

    The executor runs in its own thread and rclpy's signal handlers are disabled: a signal then
    only ends the wait below, nothing is shut down during a callback, and the shutdown runs in
    order. A process that has not ended 8 s after a signal prints where its threads are and exits
    with status 1.

    Args:
        create: creates the node.
        arguments: command line, for remappings and parameters; that of the process by default.
        name: name of the node, for the error message if it cannot be created.

    Returns:
        The exit status: 1 if the node could not start, or a callback failed.
    """
    signals = _Signals()
    try:
        check_domain()
        rclpy.init(
            args=sys.argv if arguments is None else list(arguments),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        node = create()
    except (ValueError, ParameterException, RuntimeError) as error:
        get_logger(name).fatal(f"the node cannot start: {explain(error)}")
        rclpy.try_shutdown()
        return 1
    went_well = signals.end(node.start) and (signals.came or _spin(node, signals.stop))
    node.close()
    node.destroy_node()
    rclpy.try_shutdown()
    faulthandler.cancel_dump_traceback_later()
    return 0 if went_well else 1


class _Stopped(BaseException):
    """Raised on a signal; not an `Exception`, so that `except Exception` does not catch it."""


class _Signals:
    """Handlers of SIGINT and SIGTERM: they request a stop, and interrupt long steps.

    Python runs handlers in the main thread, between two instructions: not at all while that waits
    in a library. So another thread, which the interpreter wakes at once, ends the process if it
    does not end by itself.

    Attributes:
        stop: gets an item at each signal. It is no Event, whose lock could be taken when a signal
            arrives just as a wait for it begins.
    """

    def __init__(self) -> None:
        self.stop: SimpleQueue[None] = SimpleQueue()
        self._is_interruptible = self._is_starting = False
        self._arrivals, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()

    @property
    def came(self) -> bool:
        """Whether a signal has arrived."""
        return not self.stop.empty()

    def end(self, step: Callable[[], bool]) -> bool:
        """Run a step that signals interrupt, even earlier ones; return True if it was interrupted.

        A step that does not end in time, because it is in library code or catches the exception,
        is ended together with the process.
        """
        self._is_starting = True
        try:
            self._is_interruptible = True
            went_well = self.came or step()
            self._is_interruptible = False
        except _Stopped:
            return True
        finally:
            self._is_starting = False
        return went_well or self.came

    def _take(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop.put(None)
        if self._is_interruptible:
            self._is_interruptible = False
            raise _Stopped

    def _watch(self) -> None:
        """End the process some time after a signal; what takes so long is printed."""
        number = 0
        while number not in (signal.SIGINT, signal.SIGTERM):
            number = os.read(self._arrivals, 1)[0]
        faulthandler.dump_traceback_later(_LONGEST_S, exit=True)  # needs no interpreter
        time.sleep(_GRACE_S)
        if self._is_starting:
            os._exit(0)


def _spin(node: ManagedNode, stop: SimpleQueue[None]) -> bool:
    """Spin until stopped; return False if a callback failed."""
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
            raise  # a bug: the thread prints the traceback
        finally:
            stop.put(None)

    thread = threading.Thread(target=spin, name="executor")
    thread.start()
    wait_for_stop(stop)
    stopped.set_result(None)
    thread.join(_GRACE_S)
    if thread.is_alive():  # it is in a transition requested by a lifecycle manager
        os._exit(0)
    executor.shutdown()
    return not crashed.is_set()


def wait_for_stop(stop: SimpleQueue[None]) -> None:
    """Wait, in the main thread, until a signal handler or another thread requests a stop.

    A signal that arrives just before the wait, or in another thread, does not end it: Python runs
    handlers only between instructions of the main thread, so the thread wakes up periodically.
    """
    while True:
        with suppress(Empty):
            stop.get(timeout=_STEP_S)
            return

"""Programs that a signal ends quietly at any time.

Importing PyTorch and ROS takes seconds, and Python's own answer to Ctrl-C in that time is a
traceback of internal modules. This module imports nothing that takes time: an entry point
imports it first, and through it what it runs.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

Program = Callable[[], int]
"""Main function; returns the exit status."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_program(load: Callable[[], Program], *, serves: bool = False) -> int:
    """Import a program and run it in this process, which does nothing else.

    While modules are imported, and after the program, a signal ends the process at once. In
    between signals are the program's; `KeyboardInterrupt`, which it may leave to this function, is
    what Python makes of Ctrl-C. Signals that the process was started to ignore stay ignored.

    Args:
        load: imports the program.
        serves: whether it runs until a signal ends it, as a node does. That is no failure then,
            and this function leaves the process itself: what Python would take down takes seconds
            where PyTorch is loaded.

    Returns:
        The exit status: that of the program, or 128 and the signal's number, as shells have it.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]

    def status_of(number: int) -> int:
        return 0 if serves else 128 + number

    for number in taken:
        signal.signal(number, lambda number, _: os._exit(status_of(number)))
    program = load()
    try:
        for number in taken:
            signal.signal(number, before[number])
        status = program()
    except KeyboardInterrupt:
        status = status_of(signal.SIGINT)
    with suppress(OSError):  # the interpreter tries again at its end, and says what is wrong
        sys.stdout.flush()
    if serves:
        os._exit(status)
    for number in taken:
        signal.signal(number, lambda *_: os._exit(status))
    return status

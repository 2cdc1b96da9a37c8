"""Runs programs that signals end quietly at any time.

Importing PyTorch and ROS takes seconds, and Ctrl-C during an import would print a traceback of
internal modules. This module imports nothing slow: an entry point imports it first, and everything
else through it.
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
    """Import a program and run it as the only task of this process.

    A signal ends the process at once while modules are imported, and after the program. In
    between, both signals raise `KeyboardInterrupt`, as Ctrl-C does in Python, unless the program
    handles them; it may leave that exception to this function. Signals that were ignored at the
    start of the process stay ignored.

    Args:
        load: imports the program.
        serves: whether it runs until a signal ends it, as a node does. A signal is then no
            failure, and this function ends the process directly, because Python's own shutdown
            takes seconds once PyTorch is loaded.

    Returns:
        The exit status of the program; 128 plus the signal's number, as in shells, while modules
        are imported, and that of Ctrl-C for a program that leaves `KeyboardInterrupt`.
    """
    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def status_of(number: int) -> int:
        return 0 if serves else 128 + number

    for number in taken:
        signal.signal(number, lambda number, _: os._exit(status_of(number)))
    program = load()
    try:
        for number in taken:
            signal.signal(number, signal.default_int_handler)
        status = program()
    except KeyboardInterrupt:
        status = status_of(signal.SIGINT)
    with suppress(OSError):  # the interpreter tries again at its end, and reports the error
        sys.stdout.flush()
    if serves:
        os._exit(status)
    for number in taken:
        signal.signal(number, lambda *_: os._exit(status))
    return status

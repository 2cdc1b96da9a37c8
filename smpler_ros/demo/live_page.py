"""The page that shows the demonstration's people while it runs."""

import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

from smpler_model.inference.optional_packages import is_installed
from smpler_model.settings.view import PageSettings

_HOST = "localhost"
_STEP_S = 0.2


@contextmanager
def live_page(say: Callable[[str], None], *, opens: bool) -> Iterator[None]:
    """Run the viewer as a process, say where its page is as soon as it is there, and stop it.

    Where viser is not installed, that is said, and the demonstration goes on without a page.

    Args:
        say: called with sentences.
        opens: whether to open the page in the default browser.
    """
    if not is_installed("viser"):
        say("there is no page of the people, as the package viser is not installed")
        yield
        return
    port = _free_port()
    command = [sys.executable, "-m", "smpler_ros.viewer", "--ros-args"]
    parameters = ["-p", f"host:={_HOST}", "-p", f"port:={port}", "--log-level", "warn"]
    process = subprocess.Popen([*command, *parameters], env=_environment())
    is_over = threading.Event()
    waiting = threading.Thread(
        target=_announce, args=(port, process, is_over, say), kwargs={"opens": opens}
    )
    waiting.start()
    try:
        yield
    finally:
        is_over.set()
        process.terminate()
        process.wait()
        waiting.join()


def _announce(
    port: int,
    process: "subprocess.Popen[bytes]",
    is_over: threading.Event,
    say: Callable[[str], None],
    *,
    opens: bool,
) -> None:
    """Wait for the page, and say where it is."""
    while not is_over.is_set() and process.poll() is None:
        with suppress(OSError, HTTPException):
            _ask_for_page(port)
            address = f"http://{_HOST}:{port}"
            say(f"people in 3D: {address}")
            if opens and not webbrowser.open(address):
                say(f"found no browser to open; open {address} yourself")
            return
        time.sleep(_STEP_S)


def _ask_for_page(port: int) -> None:
    """Ask as a browser does: the server logs a traceback of who connects and says nothing."""
    connection = HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    finally:
        connection.close()


def _free_port() -> int:
    """Return the first port from the usual one on that nobody serves at."""
    for port in range(PageSettings().port, 65_536):
        with suppress(OSError):
            socket.create_server((_HOST, port)).close()
            return port
    raise OSError(f"no port of {_HOST} is free to serve a page at; end another program")


def _environment() -> dict[str, str]:
    """Return the environment of a process that must not slow the node down."""
    return os.environ | {"OMP_NUM_THREADS": "1"}

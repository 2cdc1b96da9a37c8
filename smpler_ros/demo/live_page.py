"""The page that shows the demonstration's people while it runs."""

import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

from smpler_model.inference.optional_packages import is_installed
from smpler_model.notices import Notify
from smpler_model.settings.view import PageSettings

_HOST = "localhost"
_STEP_S = 0.2


@contextmanager
def live_page(say: Notify, *, opens: bool) -> Iterator[None]:
    """Run the viewer as a process, announce its page once it is served, and stop it at the end.

    Without viser, the demonstration continues without a page, and says so.

    Args:
        say: called with messages.
        opens: whether to open the page in the default browser.
    """
    if not is_installed("viser"):
        say("people are not shown in 3D: that needs the package viser, which is not installed")
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
    say: Notify,
    *,
    opens: bool,
) -> None:
    """Wait until the page is served, and print its address."""
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
    """Send a complete request: without one, the server logs a traceback."""
    connection = HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    finally:
        connection.close()


def _free_port() -> int:
    """Return the first free port from the default one on."""
    for port in range(PageSettings().port, 65_536):
        with suppress(OSError):
            socket.create_server((_HOST, port)).close()
            return port
    raise OSError(f"no port of {_HOST} is free to serve a page at; end another program")


def _environment() -> dict[str, str]:
    """Return an environment in which a process does not slow down the node."""
    return os.environ | {"OMP_NUM_THREADS": "1"}

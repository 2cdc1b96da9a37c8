"""The web page: serves it, and tells whether any browser shows it."""

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smpler_model.inference.optional_packages import import_optional

if TYPE_CHECKING:
    import viser

_EVERYWHERE = {"": "localhost", "0.0.0.0": "localhost", "::": "::1"}
"""Hosts that are all addresses of this machine, with one for a browser on it."""


class Page:
    """A page being served.

    Attributes:
        server: viser's server.
        address: URL for a browser on this machine.
        place: the address, and at which others the page is served, for people to read.
    """

    def __init__(self, server: "viser.ViserServer", host: str) -> None:
        """Wrap a running server; see `open_page`."""
        self.server = server
        name, port = _EVERYWHERE.get(host, host), server.get_port()
        self.address = f"http://[{name}]:{port}" if _is_ipv6(name) else f"http://{name}:{port}"
        others = f" (from other machines: this machine's name or address, port {port})"
        self.place = self.address + (others if host in _EVERYWHERE else "")
        self._watched = threading.Event()
        server.on_client_connect(lambda _: self._watched.set())
        server.on_client_disconnect(lambda _: self._count())

    @property
    def is_watched(self) -> bool:
        """Whether any browser shows the page."""
        return self._watched.is_set()

    def wait_for_watchers(self, timeout_s: float) -> bool:
        """Wait until a browser shows the page; return whether one does."""
        return self._watched.wait(timeout_s)

    def _count(self) -> None:
        if not self.server.get_clients():
            self._watched.clear()


@contextlib.contextmanager
def open_page(title: str, host: str, port: int) -> Iterator[Page]:
    """Serve a page until the context is left.

    Args:
        title: title of the page's panel.
        host: address to serve at; `localhost` for this machine only.
        port: port to serve at; the next free one if it is taken, 0 for any.

    Raises:
        ValueError: viser is not installed, or the host is no address of this machine.
    """
    module = import_optional("viser", "the view in a browser")
    _check_host(host)
    with _quiet():
        server: viser.ViserServer = module.ViserServer(host, port, verbose=False)
    try:
        server.gui.configure_theme(show_share_button=False)
        server.gui.set_panel_label(title)
        server.gui.main_panel.dock_right()  # floating, it hides people
        yield Page(server, host)
    finally:
        with _quiet():
            server.stop()


def _check_host(host: str) -> None:
    """Refuse an address at which viser would search for a free port forever."""
    family = socket.AF_INET6 if _is_ipv6(host) else socket.AF_INET
    try:
        socket.create_server((host, 0), family=family).close()
    except OSError as error:
        raise ValueError(
            f"the page must be served at an address of this machine, got {host} "
            f"({error.strerror or error}); choose localhost, or 0.0.0.0 for all its addresses"
        ) from None


def _is_ipv6(host: str) -> bool:
    return ":" in host


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what viser prints; the caller reports the address."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

"""The address of a page."""

import re
import socket
from urllib.request import urlopen

import pytest

from smpler_model.inference import optional_packages
from smpler_model.viewing.page import Page, open_page


def test_a_page_is_served_to_this_machine_only(page: Page) -> None:
    assert page.address.startswith("http://localhost:")
    port = page.server.get_port()
    addresses = {
        entry[4][0]
        for entry in socket.getaddrinfo(socket.gethostname(), port, family=socket.AF_INET)
    }
    for address in addresses:
        if not str(address).startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((str(address), port), timeout=2)


def test_a_page_at_all_addresses_says_how_other_machines_open_it(page: Page) -> None:
    assert page.place == page.address
    with open_page("everywhere", "0.0.0.0", 0) as other:
        port = other.server.get_port()
        assert other.address == f"http://localhost:{port}"
        assert f"other machines: this machine's name or address, port {port}" in other.place


def test_a_taken_port_is_replaced_by_another(page: Page) -> None:
    with open_page("again", "localhost", page.server.get_port()) as other:
        assert other.address != page.address
        with urlopen(other.address, timeout=10) as answer:  # a half-open one would outlive it
            assert answer.status == 200


@pytest.mark.parametrize("host", ["::1", "::"])
def test_a_page_is_served_at_addresses_of_ipv6(host: str) -> None:
    pytest.importorskip("viser")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with open_page("six", host, 0) as page:
        assert page.address == f"http://[::1]:{page.server.get_port()}"
        assert ("other machines" in page.place) == (host == "::")
        with urlopen(page.address, timeout=10) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    pytest.importorskip("viser")
    words = re.escape(f"an address of this machine, got {host} (")
    with pytest.raises(ValueError, match=words), open_page("elsewhere", host, 0):
        pass


def test_without_viser_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_packages, "is_installed", lambda _: False)
    with (
        pytest.raises(ValueError, match="the view in a browser needs the package viser"),
        open_page("none", "localhost", 0),
    ):
        pass

"""Fixtures for tests over real ROS; skipped where there is none."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: run `make test`")

from rclpy.qos import ReliabilityPolicy

from tests.ros.peer import Peer

DOMAINS = range(1, 102)  # their ports keep clear of those that Linux gives to other programs


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain that no other test on this machine uses meanwhile, in the environment too."""
    for domain in DOMAINS:
        lock = (Path(tempfile.gettempdir()) / f"smpler_ros_domain_{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield domain
        lock.close()
        return
    pytest.fail("all ROS domains are in use")


@pytest.fixture
def peer(ros_domain: int) -> Iterator[Peer]:
    """A peer whose camera is best effort."""
    peer = Peer(ros_domain, ReliabilityPolicy.BEST_EFFORT)
    yield peer
    peer.close()


@pytest.fixture
def reliable_peer(ros_domain: int) -> Iterator[Peer]:
    """A peer whose camera is reliable."""
    peer = Peer(ros_domain, ReliabilityPolicy.RELIABLE)
    yield peer
    peer.close()

"""Fixtures for tests over real ROS; skipped where there is none."""

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model

pytest.importorskip("rclpy", reason="needs ROS 2: run `make test`")

import rclpy
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from tests.ros.node_process import NodeProcess
from tests.ros.peer import Peer

StartNode = Callable[..., NodeProcess]

DOMAINS = range(1, 102)  # their ports are outside Linux's range of ephemeral ports


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests over live ROS as slow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@contextmanager
def reserve_domain() -> Iterator[int]:
    """Reserve a ROS domain on this machine, and set it in the environment."""
    for domain in DOMAINS:
        lock = (Path(tempfile.gettempdir()) / f"smpler_ros_domain_{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        with pytest.MonkeyPatch.context() as patch, lock:
            patch.setenv("ROS_DOMAIN_ID", str(domain))
            patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            yield domain
        return
    pytest.fail("all ROS domains are in use")


@pytest.fixture
def ros_domain() -> Iterator[int]:
    """A ROS domain that no other test on this machine uses, also set in the environment."""
    with reserve_domain() as domain:
        yield domain


@pytest.fixture
def default_context(ros_domain: int) -> Iterator[None]:
    """rclpy's default context, for nodes of this project in this process."""
    rclpy.init(args=[], domain_id=ros_domain, signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.shutdown()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with seeded weights: its results are wrong, but reproducible."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "seeded.pt"
    save_checkpoint(build_model(SMPLER_NANO, load_builtin_body()), path)
    return path


@pytest.fixture(scope="session")
def start_node(checkpoint: Path) -> StartNode:
    """Start the node with that network; parameters and further ROS arguments can be given."""

    def start(
        *arguments: str, module: str = "smpler_ros.smpler_node", **parameters: object
    ) -> NodeProcess:
        values = {
            "model": checkpoint,
            "detector": "full_image",
            "confirm_frames": 1,
            "backend": "plain",  # the others have to compile first
            "threads": 1,
        } | parameters
        given = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
        return NodeProcess(module, *given, *arguments)

    return start


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

"""The system's clock is set back while nodes run, simulated by a preloaded library."""

import subprocess
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from tests.ros.conftest import StartNode
from tests.ros.peer import Peer
from tests.ros.test_synthetic_camera import start as start_camera

HOUR_NS = 3600 * NS_PER_S
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME && access(getenv("CLOCK_IS_SET_BACK"), F_OK) == 0)
        now->tv_sec -= 3600;
    return status;
}
"""


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path; while it exists, the clock of processes started from now on is an hour back."""
    source, library, switch = (tmp_path / name for name in ("clock.c", "clock.so", "set_back"))
    source.write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CLOCK_IS_SET_BACK", str(switch))
    return switch


def test_diagnostics_and_checks_continue(
    reliable_peer: Peer, start_node: StartNode, switch: Path
) -> None:
    said: list[DiagnosticArray] = []
    reliable_peer.node.create_subscription(DiagnosticArray, "/diagnostics", said.append, 10)
    with start_node() as node:
        reliable_peer.spin_until(lambda: len(said) >= 1)
        before_ns = stamp_ns_of(said[-1])
        switch.touch()
        reliable_peer.spin_until(
            lambda: sum(stamp_ns_of(each) < before_ns - HOUR_NS / 2 for each in said) >= 3,
            timeout_s=20,
        )
        node.wait_for("no image on /image for 5 s", timeout_s=20)


def test_the_synthetic_camera_continues(reliable_peer: Peer, switch: Path) -> None:
    images: list[Image] = []
    reliable_peer.node.create_subscription(Image, "image", images.append, 10)
    with start_camera():
        reliable_peer.spin_until(lambda: len(images) >= 3)
        before_ns = stamp_ns_of(images[-1])
        switch.touch()
        reliable_peer.spin_until(
            lambda: sum(stamp_ns_of(each) < before_ns - HOUR_NS / 2 for each in images) >= 3,
            timeout_s=20,
        )

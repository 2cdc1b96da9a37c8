"""Four bags on two workers of a Ray cluster on this machine."""

import builtins
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from smpler_ros.bags.bag_run import Progress
from smpler_ros.bags.many_bags import Job, Outcome, evaluate_in_turn, make_jobs, merge
from smpler_ros.bags.ray_bags import evaluate_on_ray
from smpler_ros.bags.run_files import LOCK, STATE
from smpler_ros.bags.settings import EvaluationSettings
from tests.smpler_ros.conftest import WriteBag

# Ray's own: a child process that outlives its parent's handle, and sockets that it leaves open.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


class Killer(threading.Thread):
    """Kills the worker that evaluates a job, once, as soon as it has written a checkpoint."""

    def __init__(self, job: Job) -> None:
        super().__init__(daemon=True)
        self._job, self.killed = job, 0

    def run(self) -> None:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            lock = self._job.folder / LOCK
            if (self._job.folder / STATE).exists() and lock.exists():
                text = lock.read_text()
                if text and int(text) != os.getpid():
                    self.killed = int(text)
                    os.kill(self.killed, signal.SIGKILL)
                    return
            time.sleep(0.002)


def on_ray(
    jobs: Sequence[Job], config: EvaluationSettings, said: list[str], address: str = "local"
) -> list[Outcome]:
    return evaluate_on_ray(
        jobs,
        config,
        address=address,
        workers=2,
        cpus=1,
        gpus=0,
        resume=False,
        overwrite=False,
        report=said.append,
        should_stop=lambda: False,
    )


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return the merged table without values that vary between runs, floats with tolerance."""
    return [
        {
            name: pytest.approx(value, rel=1e-5, abs=1e-3) if isinstance(value, float) else value
            for name, value in row.items()
            if name != "rate_hz"
        }
        for row in merge(outcomes)
    ]


def test_four_bags_on_two_workers_one_of_which_is_killed(
    write_bag: WriteBag,
    config: EvaluationSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At Ray's own niceness of 15, the tests beside this one would leave its workers nothing.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    config = replace(config, outputs=("people",), checkpoint_every=0.0)
    different = [write_bag("small"), write_bag("other", seed=5)]
    bags = [Path(shutil.copytree(different[k % 2], tmp_path / f"bag_{k}")) for k in range(4)]
    jobs = make_jobs(bags, tmp_path / "ray")
    by_themselves = evaluate_in_turn(
        make_jobs(different, tmp_path / "turn"),
        config,
        resume=False,
        overwrite=False,
        report=print,
        progress=Progress(),
        should_stop=lambda: False,
    )
    assert all(outcome.error is None for outcome in by_themselves)
    expected = [Outcome(job, by_themselves[k % 2].summary) for k, job in enumerate(jobs)]
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"no bag at all")
    killer = Killer(jobs[3])
    killer.start()
    said: list[str] = []
    *outcomes, failed = on_ray([*jobs, Job(bad, tmp_path / "ray" / "bad")], config, said)
    killer.join()
    assert killer.killed
    for row, wanted in zip(merge(outcomes), rows(expected), strict=True):
        found = {name: row[name] for name in wanted}
        assert found == wanted
    assert failed.error is not None
    assert "must be a bag" in failed.error
    assert said == [f"{bad}: {failed.error}"]


def test_without_ray(
    config: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def refuse(name: str, *arguments: object) -> object:
        if name == "ray":
            raise ImportError(name)
        return load(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="--ray needs the package ray, got an installation"):
        on_ray([Job(tmp_path, tmp_path)], config, [])


def test_without_a_cluster(config: EvaluationSettings, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"a Ray cluster at {address}, got no answer"):
            on_ray([Job(tmp_path, tmp_path)], config, [], address)

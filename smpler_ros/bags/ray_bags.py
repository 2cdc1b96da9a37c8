"""Bags as Ray tasks, on the cores of one machine or on a cluster with shared files.

Ray schedules the tasks and retries one that fails or whose worker dies. A retried task resumes
from its last checkpoint.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from smpler_model.notices import Notify
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.many_bags import ATTEMPTS, Job, Outcome, explain
from smpler_ros.bags.run_files import check_place, choose_checkpoint, lock_folder
from smpler_ros.bags.settings import EvaluationSettings

LOCAL = "local"

_POLL_S = 0.5
_ANSWER_S = 10.0


def evaluate_on_ray(
    jobs: Sequence[Job],
    config: EvaluationSettings,
    *,
    address: str,
    workers: int | None,
    cpus: float,
    gpus: float,
    resume: bool,
    overwrite: bool,
    report: Notify,
    should_stop: Callable[[], bool],
) -> list[Outcome]:
    """Evaluate bags as tasks.

    Args:
        jobs: the bags; their paths must be valid on all machines.
        config: settings of the evaluation.
        address: address of a cluster, or `local` to start one on this machine.
        workers: number of bags processed in parallel on this machine; None for one per core.
        cpus: CPU cores per bag.
        gpus: GPUs per bag; fractions are possible.
        resume: whether to continue earlier runs.
        overwrite: whether to replace them.
        report: called with error messages.
        should_stop: called twice a second; True cancels the tasks.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: there is no cluster at the address.
    """
    ray = _import_ray()
    outcomes: dict[int, Outcome] = {}
    with _Cluster(ray, address, workers, cpus, gpus):
        task = ray.remote(_evaluate).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=ATTEMPTS - 1, retry_exceptions=True
        )
        pending = {}
        for index, job in enumerate(jobs):
            try:
                _prepare(job, config, resume=resume, overwrite=overwrite)
            except (OSError, ValueError) as error:
                outcomes[index] = _failed(job, explain(error), report)
                continue
            absolute = Job(job.bag.resolve(), job.folder.resolve())
            pending[task.remote(absolute, config)] = index
        while pending and not should_stop():
            done, _ = ray.wait(list(pending), timeout=_POLL_S)
            for reference in done:
                index = pending.pop(reference)
                outcomes[index] = _collect(ray, reference, jobs[index], report)
        for reference, index in pending.items():
            ray.cancel(reference, force=True)
            outcomes[index] = Outcome(jobs[index], None, "interrupted; --resume continues")
    return [outcomes[index] for index in sorted(outcomes)]


class _Cluster:
    """A connection to Ray, or a cluster of its own; a context manager."""

    def __init__(
        self,
        ray: Any,  # noqa: ANN401
        address: str,
        workers: int | None,
        cpus: float,
        gpus: float,
    ) -> None:
        self._ray = ray
        self._options: dict[str, Any] = {
            "address": address,
            "logging_level": logging.ERROR,
            "log_to_driver": False,
        }
        if address != LOCAL:
            _require_answer(address)
            return
        count = workers or os.cpu_count() or 1
        self._options |= {
            "include_dashboard": False,
            "num_cpus": max(round(count * cpus), 1),
        }
        if gpus:
            self._options["num_gpus"] = max(round(count * gpus), 1)

    def __enter__(self) -> _Cluster:
        self._ray.init(**self._options)
        return self

    def __exit__(self, *error: object) -> None:
        self._ray.shutdown()


def _import_ray() -> Any:  # noqa: ANN401
    """Import Ray, with its usage statistics switched off.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ImportError(
            "--ray needs the package ray, got an installation without it; install ray or evaluate "
            "the bags one after the other"
        ) from None
    return ray


def _require_answer(address: str) -> None:
    """Check the connection first, because Ray itself waits for minutes.

    Raises:
        ConnectionError: no answer from `host:port`.
    """
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise ConnectionError(
            f"there must be a Ray cluster at {address}, got no answer ({error}); start one with "
            f"`ray start --head`, or use --ray {LOCAL}"
        ) from None


def _prepare(job: Job, config: EvaluationSettings, *, resume: bool, overwrite: bool) -> None:
    """Handle an earlier run here, so that a retried task can always resume."""
    if not job.bag.exists():
        return  # the task reports it
    check_place(job.bag, job.folder)
    with lock_folder(job.folder):
        choose_checkpoint(job.folder, config, job.bag, resume=resume, overwrite=overwrite)


def _evaluate(job: Job, config: EvaluationSettings) -> Summary:
    """Evaluate a bag in a worker."""
    return evaluate_bag(job.bag, job.folder, config, resume=True)


def _collect(ray: Any, reference: Any, job: Job, report: Notify) -> Outcome:  # noqa: ANN401
    try:
        return Outcome(job, ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        return _failed(job, explain(error.cause), report)
    except ray.exceptions.RayError as error:
        first = str(error).strip().partition("\n")[0]
        return _failed(job, f"its worker died {ATTEMPTS} times: {first}", report)


def _failed(job: Job, sentence: str, report: Notify) -> Outcome:
    report(f"{job.bag}: {sentence}")
    return Outcome(job, None, sentence)

"""`evaluate_bag`: people in bags, without a running ROS, with errors against ground truth."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from smpler_model.atomic_files import write_text_atomically
from smpler_model.commands.command import INTERRUPTED, read_arguments
from smpler_model.commands.result_folders import base_name
from smpler_model.commands.words import counted
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_ros.bags.bag_run import Progress
from smpler_ros.bags.command_line import build_parser, read_config
from smpler_ros.bags.many_bags import (
    TABLE,
    Job,
    Outcome,
    evaluate_in_turn,
    find_bags,
    format_csv,
    make_jobs,
    merge,
)
from smpler_ros.bags.ray_bags import evaluate_on_ray
from smpler_ros.bags.run_files import check_place
from smpler_ros.bags.summary import describe_missed

_FOLDER_SUFFIX = "_evaluation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate the bags on the command line; return the exit status."""
    chosen = read_arguments(build_parser(), arguments)
    with _stop_on_signals() as stop:
        try:
            return run(chosen, stop)
        except (ImportError, OSError, ValueError, DeviceMemoryError) as error:
            _say(str(error))
            return 1
        except KeyboardInterrupt:
            _say("interrupted twice; results up to the last checkpoint are kept")
            return INTERRUPTED


class Bar(Progress):
    """One progress bar per bag, with the remaining time."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begin(self, total: int) -> None:
        """Show a new bar."""
        self.close()
        self._bar = tqdm(total=total, unit="image", dynamic_ncols=True)

    def advance(self, count: int) -> None:
        """Move it."""
        if self._bar is not None:
            self._bar.update(count)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


class StopRequest:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self) -> bool:
        """Return whether one came."""
        return self.came


def run(chosen: Namespace, stop: StopRequest) -> int:
    """Evaluate; return the exit status.

    Raises:
        ImportError: Ray is wanted and not installed.
        ValueError: invalid settings or inputs, found before the first bag.
        OSError: a file that cannot be read or written.
        DeviceMemoryError: the network does not fit into its device's memory.
    """
    config = read_config(chosen)
    bags = find_bags(chosen.bags)
    only = len(chosen.bags) == len(bags) == 1
    if only:
        folder = chosen.output or Path(f"{base_name(bags[0])}{_FOLDER_SUFFIX}")
        jobs = [Job(bags[0], folder)]
    else:
        jobs = make_jobs(bags, chosen.output or Path("evaluations"))
    for job in jobs:
        check_place(job.bag, job.folder)
    if chosen.ray:
        outcomes = evaluate_on_ray(
            jobs,
            config,
            address=chosen.ray,
            workers=chosen.workers,
            cpus=chosen.cpus_per_bag,
            gpus=chosen.gpus_per_bag,
            resume=chosen.resume,
            overwrite=chosen.overwrite,
            report=_say,
            should_stop=stop,
        )
    else:
        bar = Progress() if chosen.quiet else Bar()
        outcomes = evaluate_in_turn(
            jobs,
            config,
            resume=chosen.resume,
            overwrite=chosen.overwrite,
            report=_say,
            progress=bar,
            should_stop=stop,
        )
        if isinstance(bar, Bar):
            bar.close()
    return _conclude(outcomes, None if only else jobs[0].folder.parent, stop)


def _conclude(outcomes: list[Outcome], table_folder: Path | None, stop: StopRequest) -> int:
    """Print the outcome of each bag, write the merged table, return the exit status."""
    rows = merge(outcomes)
    for outcome, row in zip(outcomes, rows, strict=False):
        if outcome.summary is not None:
            _report_damage(outcome)
            sys.stdout.write(f"{outcome.job.bag}: {_line(row)}; results in {outcome.job.folder}\n")
    if table_folder is not None:
        table_folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(table_folder / TABLE, format_csv(rows))
        sys.stdout.write(f"all: {_line(rows[-1])}; table in {table_folder / TABLE}\n")
    if stop.came:
        _say("interrupted; results so far are kept, --resume continues")
        return INTERRUPTED
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _report_damage(outcome: Outcome) -> None:
    summary = outcome.summary or {}
    if summary["damage"]:
        _say(summary["damage"])
    for entry in summary.get("notes", ()):
        _say(f"{entry['topic']}: {entry['note']}")
    for name in ("left_out", "people_left_out", "images_without_pose"):
        _report_counts(summary.get(name, ()))


def _report_counts(entries: Iterable[dict[str, Any]]) -> None:
    for entry in entries:
        _say(f"{entry['topic']}: {counted(entry['count'], 'time')}: {entry['reason']}")


def _line(row: dict[str, Any]) -> str:
    parts = [
        counted(row["frames"], "image"),
        counted(row["people"], "person", "people"),
        counted(row["tracks"], "track"),
    ]
    for name, title in (("mpjpe_mm", "MPJPE"), ("pa_mpjpe_mm", "PA-MPJPE"), ("mpve_mm", "MPVE")):
        if row.get(name) is not None:
            parts.append(f"{title} {row[name]:.1f} mm")
    if row.get("missed") is not None:
        parts.append(f"{describe_missed(row)}, {row['false']} false")
    return ", ".join(parts)


@contextmanager
def _stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request, the second into KeyboardInterrupt."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request.came:
            raise KeyboardInterrupt
        request.came = True

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say(sentence: str) -> None:
    sys.stderr.write(f"evaluate_bag: {sentence}\n")

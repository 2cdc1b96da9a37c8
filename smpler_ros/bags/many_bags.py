"""Many bags: one after the other, or on Ray; a failing bag does not affect the others."""

from __future__ import annotations

import csv
import errno
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from smpler_model.bags.files import METADATA, ROS1_SUFFIXES, find_bag_files, find_recordings
from smpler_model.bags.reader import SourceError, is_bag
from smpler_model.commands.result_folders import base_name
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.notices import Notify
from smpler_ros.bags.accuracy import FIGURES
from smpler_ros.bags.bag_run import Progress, Summary, evaluate_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.inputs import count_cameras
from smpler_ros.bags.run_files import DETECTIONS, FRAMES, STATE
from smpler_ros.bags.settings import EvaluationSettings

ATTEMPTS = 2
"""Number of attempts per bag."""

TABLE = "bags.csv"

_LIST_MARK = "@"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEANS = tuple(FIGURES)
_COUNTS = (
    *("pairs", "acceleration_pairs", "true_people", "missed", "visible_people", "visible_missed"),
    *("false", "identity_switches"),
)
_COLUMNS = (
    *("bag", "complete", "frames", "people", "tracks", "left_out", "rate_hz"),
    *(*_MEANS, *_COUNTS, "error"),
)


@dataclass(frozen=True)
class Job:
    """A bag and the folder for its results."""

    bag: Path
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """Outcome of a bag.

    Attributes:
        job: the bag.
        summary: summary of the run; None where it failed.
        error: why it failed; None where it did not.
    """

    job: Job
    summary: Summary | None
    error: str | None = None


def find_bags(names: Iterable[str]) -> list[Path]:
    """Return the bags that command-line arguments name; one of several names by its first.

    Args:
        names: paths of bags, of folders with bags at any depth, patterns such as `*/*.mcap`, or
            `@` and the path of a file with such names, one per line.

    Raises:
        SourceError: a name that matches no bag.
    """
    found: dict[Path, Path] = {}
    for name in names:
        if name.startswith(_LIST_MARK):
            lines = Path(name[1:]).read_text().splitlines()
            bags = find_bags([line.strip() for line in lines if line.strip()])
        elif Path(name).exists() or not any(mark in name for mark in "*?["):
            bags = _bags_below(Path(name))
        else:
            matches = sorted(glob(name, recursive=True))  # noqa: PTH207 (absolute ones, too)
            bags = [bag for match in matches for bag in _bags_below(Path(match))]
        if not bags:
            raise SourceError(
                f"{name} must match bags, got none; give a bag, or a folder or pattern with some"
            )
        for bag in bags:
            found.setdefault(bag.resolve(), bag)
    return list(found.values())


def make_jobs(bags: Sequence[Path], output: Path) -> list[Job]:
    """Return a job for each bag; folders are named after the bags, numbered if names are equal."""
    jobs = []
    taken: set[str] = set()
    for bag in bags:
        stem = base_name(bag)
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        jobs.append(Job(bag, output / name))
    return jobs


def _most_cameras(jobs: Sequence[Job], config: EvaluationSettings) -> int:
    """Return the most cameras of a bag; bags that cannot be read are reported in their turn."""
    most = 1
    for job in jobs:
        with suppress(SourceError, OSError):
            most = max(most, count_cameras(job.bag, config))
    return most


def evaluate_in_turn(
    jobs: Sequence[Job],
    config: EvaluationSettings,
    *,
    resume: bool,
    overwrite: bool,
    report: Notify,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> list[Outcome]:
    """Evaluate bags one after the other.

    Args:
        jobs: the bags.
        config: settings of the evaluation.
        resume: whether to continue earlier runs.
        overwrite: whether to replace them.
        report: called with error messages.
        progress: receives progress updates for each bag.
        should_stop: called after each batch of images; True stops the run before the next bag.

    Raises:
        ValueError: a model, body, detector or device that cannot be used.
        OSError: a file of them that cannot be read.
        DeviceMemoryError: the network does not fit into its device's memory.
    """
    engine = Engine(config, _most_cameras(jobs, config))
    outcomes = []
    for job in jobs:
        earlier = _identify(job.folder / STATE)
        for attempt in range(ATTEMPTS):
            # A checkpoint that was there before is not this run's, which may have to replace it.
            is_own = attempt > 0 and (earlier is None or _identify(job.folder / STATE) != earlier)
            try:
                summary = evaluate_bag(
                    job.bag,
                    job.folder,
                    config,
                    engine,
                    resume=resume or is_own,
                    overwrite=overwrite,
                    progress=progress,
                    should_stop=should_stop,
                )
                outcome = Outcome(job, summary)
                break
            except Exception as error:
                outcome = Outcome(job, None, explain(error))
                if should_stop() or not _may_help(error) or attempt + 1 == ATTEMPTS:
                    break
                report(f"{job.bag}: {outcome.error}; retrying")
        if outcome.error:
            report(f"{job.bag}: {outcome.error}")
        outcomes.append(outcome)
        if should_stop():
            break
    return outcomes


def _identify(file: Path) -> tuple[int, int] | None:
    """Return what distinguishes a file from one that replaces it; None if there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def explain(error: BaseException) -> str:
    """Return an error as a sentence; unexpected errors with their type."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{error}; free disk space, and continue with --resume"
    if isinstance(error, ValueError | OSError | DeviceMemoryError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def merge(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return a row per bag, and one over all: means over pairs, sums of counts."""
    rows = [_row(outcome) for outcome in outcomes]
    total: dict[str, Any] = {"bag": "all", "complete": all(row.get("complete") for row in rows)}
    for name in ("frames", "people", "tracks", "left_out", *_COUNTS):
        counts = [row[name] for row in rows if row.get(name) is not None]
        total[name] = sum(counts) if counts else None
    for name in _MEANS:
        weight = "acceleration_pairs" if name.startswith("acceleration") else "pairs"
        known = [(row[name], row[weight]) for row in rows if row.get(name) is not None]
        pairs = sum(count for _, count in known)
        total[name] = sum(mean * count for mean, count in known) / pairs if pairs else None
    failed = sum(outcome.error is not None for outcome in outcomes)
    total["error"] = f"{failed} of {len(outcomes)} bags failed" if failed else None
    return [*rows, total]


def format_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return the merged table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"bag": str(outcome.job.bag), "error": outcome.error}
    summary = outcome.summary
    if summary is None:
        return row
    row |= {name: summary[name] for name in ("complete", "frames", "people", "tracks", "rate_hz")}
    row["left_out"] = sum(entry["count"] for entry in summary["left_out"])
    errors = summary["accuracy"] and summary["accuracy"]["all"]
    return row | ({name: errors[name] for name in (*_MEANS, *_COUNTS)} if errors else {})


def _bags_below(path: Path) -> list[Path]:
    """Return a bag, or the bags in a folder at any depth; hidden folders in it are not searched.

    Rosbag2 files without metadata.yaml form one bag, their folder, if they belong to one recording
    and the folder contains no other bag; otherwise each file is a bag.
    """
    if path.is_file() or (path / METADATA).is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(
            f"the bag must be a file or a folder, got {path}; give the path of an existing one"
        )
    children = sorted(path.iterdir())
    folders = [child for child in children if child.is_dir() and not child.name.startswith(".")]
    below = [bag for folder in folders for bag in _bags_in(folder)]
    if is_bag(path) and not below and not find_bag_files(path, ROS1_SUFFIXES):
        return [path]
    _refuse_parts(path)
    return sorted([*find_bag_files(path), *below])


def _bags_in(folder: Path) -> list[Path]:
    begun = all((folder / name).is_file() for name in (FRAMES, DETECTIONS))
    if begun or (folder / STATE).is_file():
        return []  # an earlier run, whose bag is not a recording
    return _bags_below(folder)


def _refuse_parts(folder: Path) -> None:
    for name, files in find_recordings(folder).items():
        if len(files) > 1:
            raise SourceError(
                f"a recording of several files must have a folder of its own, got {len(files)} of "
                f"{name} beside others in {folder}; move them into one"
            )


def _may_help(error: Exception) -> bool:
    """Return whether another attempt may succeed.

    Invalid input stays invalid, and a full disk stays full.
    """
    is_full = isinstance(error, OSError) and error.errno in _FULL
    return not isinstance(error, ValueError) and not is_full

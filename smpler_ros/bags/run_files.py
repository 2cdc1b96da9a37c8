"""The folder of a run: its files, its lock, and the consistency of the files."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smpler_model.atomic_files import write_text_atomically
from smpler_model.detectors.detector import Detections, detections_from
from smpler_model.native_paths import native_path
from smpler_ros.bags.fused_people import (
    ERROR_COLUMNS,
    FUSED_COLUMNS,
    MOMENT_COLUMNS,
    parse_moment,
    parse_pair,
)
from smpler_ros.bags.records import (
    FRAME_COLUMNS,
    PERSON_COLUMNS,
    TIMING_COLUMNS,
    parse_frame,
    parse_person,
)
from smpler_ros.bags.run_state import RunState, load_checkpoint
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.bags.tables import GrowingFile, Table, read_rows

BAG, STATE, SUMMARY, REPORT = "bag", "state.npz", "summary.json", "report.html"
PEOPLE, FRAMES, TIMINGS, DETECTIONS = (
    *("people.csv", "frames.csv", "timings.csv"),
    "detections.jsonl",
)
FUSED_PEOPLE, MOMENTS, FUSED_ERRORS = "fused_people.csv", "fused_moments.csv", "fused_errors.csv"
LOCK = ".lock"


@dataclass(frozen=True)
class LogEntry:
    """Detections in an image, and errors in processing it.

    Attributes:
        found: the detections; None if the detector failed.
        fault: why the image has no result; empty if it has one.
        left_out: the reason for each person missing from the result.
    """

    found: Detections | None
    fault: str = ""
    left_out: tuple[str, ...] = ()


class RunFiles:
    """The files that grow during a run.

    Attributes:
        folder: folder of the files.
        bag: output bag.
        people: table of people.
        frames: table of frames.
        timings: table of step times.
        detections: log of the detections, one line per image.
        fused: table of the people seen by several cameras; None if nothing is fused.
        moments: table of the moments at which they were seen; None if nothing is fused.
        fused_errors: table of their errors; None if nothing is fused.
    """

    def __init__(self, folder: Path, config: EvaluationSettings, checkpoint: RunState) -> None:
        """Open the files in their state at a checkpoint."""
        self.folder = folder
        self._lengths = checkpoint.lengths
        self._stack = ExitStack()
        self.people = self._table(PEOPLE, PERSON_COLUMNS)
        self.frames = self._table(FRAMES, FRAME_COLUMNS)
        self.timings = self._table(TIMINGS, TIMING_COLUMNS)
        self.fused: Table | None = None
        self.moments: Table | None = None
        self.fused_errors: Table | None = None
        if config.fusion_tolerance:
            self.fused = self._table(FUSED_PEOPLE, FUSED_COLUMNS)
            self.moments = self._table(MOMENTS, MOMENT_COLUMNS)
            self.fused_errors = self._table(FUSED_ERRORS, ERROR_COLUMNS)
        self.detections = self._stack.enter_context(
            GrowingFile(folder / DETECTIONS, self._lengths.get(DETECTIONS, 0))
        )
        self.bag = SegmentedBag(folder / BAG, checkpoint.information, compress=config.compress)
        self._stack.callback(self.bag.close)

    def commit(self) -> dict[str, int]:
        """Flush all files to disk; return the lengths of the text files."""
        files = (
            *(self.people, self.frames, self.timings, self.detections),
            *(self.fused, self.moments, self.fused_errors),
        )
        lengths = {file.path.name: file.commit() for file in files if file is not None}
        self.bag.commit()
        return lengths

    def close(self) -> None:
        """Close the files; what was not committed is dropped from the bag."""
        self._stack.close()

    def log(self, entry: LogEntry) -> None:
        """Log the detections in an image."""
        found = None if entry.found is None else _boxes_and_scores(entry.found)
        line = {"found": found, "fault": entry.fault, "left_out": entry.left_out}
        self.detections.write(json.dumps(line) + "\n")

    def logged(self) -> Iterator[LogEntry]:
        """Yield the log's entries."""
        with (self.folder / DETECTIONS).open() as file:
            for line in file:
                entry = json.loads(line)
                found = None if entry["found"] is None else detections_from(*entry["found"])
                yield LogEntry(found, entry["fault"], tuple(entry["left_out"]))

    def restore(self, tally: RunStatistics) -> None:
        """Add the tables' content to a tally."""
        for row in read_rows(self.folder / FRAMES):
            tally.add_frame(parse_frame(row))
        for row in read_rows(self.folder / PEOPLE):
            tally.add_person(parse_person(row))
        for row in read_rows(self.folder / TIMINGS):
            tally.add_timings({row["step"]: float(row["ms"])})
        if self.moments is not None:
            for row in read_rows(self.folder / MOMENTS):
                tally.add_moment(parse_moment(row))
            for row in read_rows(self.folder / FUSED_PEOPLE):
                tally.fused_ids.add(int(row["id"]))
            for row in read_rows(self.folder / FUSED_ERRORS):
                tally.add_pair(parse_pair(row))

    def _table(self, name: str, columns: tuple[str, ...]) -> Table:
        table = Table(self.folder / name, columns, self._lengths.get(name, 0))
        self._stack.enter_context(table)
        return table


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create a folder and lock it against other runs; `.lock` holds the process id.

    Raises:
        ValueError: another run writes to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ValueError(
                f"only one run may write to {folder}, got a second one beside process "
                f"{file.read().strip() or 'of unknown number'}; wait for it, or choose another "
                "folder with --output"
            ) from None
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            (folder / LOCK).unlink()


def check_place(bag: Path, folder: Path) -> None:
    """Reject a folder in which results would mix with the input or replace it.

    Raises:
        ValueError: the input is where the run writes its output bag, or the folder is the input's
            or inside it; or a path is not UTF-8.
    """
    native_path(bag)
    native_path(folder)
    read, output = bag.resolve(), folder.resolve()
    written = output / BAG
    mixed = read in (output, *output.parents) or (read.is_file() and read.parent == output)
    if mixed or written in (read, *read.parents):
        raise ValueError(
            f"the output must not be where the bag is, got {folder} for {bag}; choose another "
            "folder with --output"
        )


def choose_checkpoint(
    folder: Path, config: EvaluationSettings, bag: Path, *, resume: bool, overwrite: bool
) -> RunState:
    """Return the checkpoint to resume from, and remove files that are not resumed.

    Args:
        folder: folder of the run.
        config: configuration of the run.
        bag: the input.
        resume: whether to continue an earlier run.
        overwrite: whether to replace it.

    Raises:
        ValueError: there is an earlier run and neither flag is set, or its settings or input
            differ.
    """
    fresh = RunState(config.digest(), _sizes(bag))
    state = folder / STATE
    if resume and state.exists():
        before = load_checkpoint(state)
        if before.digest != fresh.digest or before.bag != fresh.bag:
            what = "bag" if before.digest == fresh.digest else "configuration"
            raise ValueError(
                f"a run must be resumed with the {what} that it began with, got another {what} "
                f"for {folder}; give the first {what}, or start anew with --overwrite"
            )
        return before
    others = [file.name for file in folder.iterdir() if file.name != LOCK]
    if others and not (resume or overwrite):
        raise ValueError(
            f"the output must be a new folder, got {folder} with {len(others)} files; use "
            "--resume to continue, --overwrite to replace them, or --output for another folder"
        )
    _remove_run(folder)
    return fresh


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write `summary.json` atomically."""
    write_text_atomically(folder / SUMMARY, json.dumps(summary, indent=2) + "\n")


def _boxes_and_scores(found: Detections) -> list[Any]:
    return [found.boxes_xyxy.tolist(), found.scores.tolist()]


def _remove_run(folder: Path) -> None:
    """Remove the files of a run, and nothing else."""
    shutil.rmtree(folder / BAG, ignore_errors=True)
    names = (
        *(PEOPLE, FRAMES, TIMINGS, DETECTIONS, FUSED_PEOPLE, MOMENTS, FUSED_ERRORS),
        *(STATE, SUMMARY, REPORT),
    )
    patterns = (*names, "error_*.png", "worst_*.html", "overlay*.mp4", "contact_sheet.png")
    for pattern in patterns:
        for file in folder.glob(pattern):
            file.unlink()


def _sizes(bag: Path) -> dict[str, int]:
    """Return the sizes of a bag's files by their names."""
    files = [bag] if bag.is_file() else sorted(file for file in bag.iterdir() if file.is_file())
    return {file.name: file.stat().st_size for file in files}

"""Evaluates one bag, from its path to its summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smpler_model.bags.reader import open_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.evaluation import Evaluation
from smpler_ros.bags.inputs import choose_input
from smpler_ros.bags.report import write_report
from smpler_ros.bags.run_files import (
    SUMMARY,
    RunFiles,
    check_place,
    choose_checkpoint,
    lock_folder,
    write_summary,
)
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.bags.summary import summarise
from smpler_ros.bags.video import write_videos
from smpler_ros.bags.worst_frames import show_worst_frames

Summary = dict[str, Any]


class Progress:
    """Receives progress updates; this one ignores them."""

    def begin(self, total: int) -> None:
        """Set the total number of images."""

    def advance(self, count: int) -> None:
        """Add the number of images processed since the last call."""


def evaluate_bag(
    bag: Path,
    folder: Path,
    config: EvaluationSettings,
    engine: Engine | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Evaluate a bag.

    Args:
        bag: path of the bag.
        folder: folder for the results.
        config: settings of the evaluation.
        engine: network and detector, if already loaded.
        resume: whether to continue an earlier run in the folder, if there is one.
        overwrite: whether to replace it.
        progress: receives progress updates.
        should_stop: called after each batch of images; True stops the run.

    Returns:
        The summary, which is also in the folder's `summary.json`.

    Raises:
        SourceError: nothing of the bag can be evaluated.
        ValueError: other invalid settings or inputs; the message says which.
        OSError: a file that cannot be read or written.
    """
    progress = progress or Progress()
    check_place(bag, folder)
    with open_bag(bag) as reader, lock_folder(folder):
        source = choose_input(reader, config)
        checkpoint = choose_checkpoint(folder, config, bag, resume=resume, overwrite=overwrite)
        if checkpoint.finished:
            summary: Summary = json.loads((folder / SUMMARY).read_text())
            if config.video and not any(folder.glob("overlay*.mp4")):
                _add_videos(folder, summary)
            return summary
        engine = engine or Engine(config, len(source.cameras))
        files = RunFiles(folder, config, checkpoint)
        try:
            evaluation = Evaluation(source, engine, config, files, checkpoint)
            progress.begin(source.image_count)
            complete = evaluation.run(progress.advance, should_stop)
            summary = summarise(evaluation, source, engine, config, complete=complete)
            write_summary(folder, summary)
            worst = show_worst_frames(folder, source, engine.body, config.fov)
            write_report(folder, summary, evaluation.tally, worst)
            if config.video:
                _add_videos(folder, summary)
            if complete:
                evaluation.save(finished=True)
        finally:
            files.close()
    return summary


def _add_videos(folder: Path, summary: Summary) -> None:
    """Write the videos and add their names to the summary."""
    summary["videos"] = write_videos(folder)
    write_summary(folder, summary)

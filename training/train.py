"""Train a network: `python -m training.train config/train/nano.yaml [field=value ...]`.

On several GPUs or machines: `torchrun --nproc-per-node 2 -m training.train CONFIG`. When started
again, it resumes from the last checkpoint as if it had not stopped.
"""

import argparse
import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from smpler_model.atomic_files import write_atomically, write_text_atomically
from smpler_model.checkpoints.files import read_checkpoint, read_data, save_checkpoint
from smpler_model.checkpoints.fit import CheckpointError
from smpler_model.hashes import hash_files
from smpler_model.inference.device_memory import DeviceMemoryError, explain_memory
from smpler_model.network.smpler import BackboneModel
from training.configuration import plain_values, write_configuration
from training.data.data_settings import find_crops
from training.data.source import Validation
from training.data.sources import make_source
from training.learning.learner import Learner
from training.learning.mixed_objective import make_objective
from training.learning.processes import Processes, join_processes
from training.learning.starting_models import build_starting_model, is_builtin
from training.scoring.overlays import draw_overlays
from training.settings import WEIGHTS, TrainSettings, load_phases

CHECKPOINT = "last.pt"
BEST = "best.pt"
CONFIGURATION = "configuration.yaml"
LOG = "log.jsonl"
CHOSEN_BY = "MPJPE"
SECONDS_AN_HOUR = 3600.0
STARTING_WEIGHTS = "starting weights"
ALL_STEPS = "all steps"
_REMEDY = "set output to another folder, or remove the checkpoint"
_SHOWN_REASON = 200  # characters of an error quoted in another

# These affect how fast a run is and where it is stored, but not its results.
_FREE_FIELDS = ("output", "threads", "device", "checkpoint_every", "log_every")


class Run:
    """A run's data, learner and record."""

    def __init__(self, settings: TrainSettings, processes: Processes | None = None) -> None:
        """Load data, build the network, and resume from a checkpoint if there is one.

        All faults of files are found here, before the first step.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file does not fit, or the checkpoint belongs to another run.
            OSError: the disk is too full for checkpoints.
        """
        torch.set_num_threads(settings.threads)
        self.settings, self.processes = settings, processes or Processes()
        settings.output.mkdir(parents=True, exist_ok=True)
        model = build_starting_model(settings)
        if find_crops(settings.data):
            check_body(model)
        self.source = make_source(settings, self.processes, model.config.image_size)
        self.steps = settings.epochs * self.source.steps_per_epoch or settings.steps
        objective = make_objective(model, settings, settings.data)
        self.learner: Learner[Any] = Learner(settings, objective, self.processes, self.steps)
        self.best: dict[str, float] = {}
        self.record: dict[str, Any] = {
            "settings": plain_values(settings),
            ALL_STEPS: self.steps,
            "processes": self.processes.count,
            **self.source.facts,
            STARTING_WEIGHTS: hash_starting_weights(settings),
            "hours": 0.0,
            "threads": settings.threads,
            "before": read_record(settings.initial),
        }
        check_room(settings.output, self.learner)
        if self.checkpoint.exists():
            self._resume()
        if self.processes.is_first:
            write_configuration(settings, settings.output / CONFIGURATION)

    @property
    def checkpoint(self) -> Path:
        """The file to resume from."""
        return self.settings.output / CHECKPOINT

    @property
    def log(self) -> Path:
        """The log, with a line of JSON per checkpoint."""
        return self.settings.output / LOG

    def train(self) -> None:
        """Train until all steps are done."""
        s, learner, first = self.settings, self.learner, self.processes.is_first
        started, hours = time.monotonic(), self.record["hours"]
        board = SummaryWriter(str(s.output), purge_step=learner.step_count + 1) if first else None
        bar = tqdm(
            total=self.steps,
            initial=learner.step_count,
            desc=s.model,
            mininterval=2.0,
            disable=not first,
        )
        batches = self.source.batches(learner.step_count, self.steps)
        began, done_before = time.monotonic(), learner.step_count
        try:
            for batch in batches:
                rate = s.learning_rate * learner.learning_rate_factor()
                numbers = learner.step(batch)
                shown = {name: f"{value:.2f}" for name, value in numbers.items()}
                bar.set_postfix(shown, refresh=False)
                bar.update()
                done = learner.step_count
                self.record["hours"] = hours + (time.monotonic() - started) / SECONDS_AN_HOUR
                last = done == self.steps
                if done % s.evaluate_every == 0 or last:
                    numbers = numbers | self._validate(board)
                    self._log(numbers)
                    self.save()
                elif done % s.checkpoint_every == 0:
                    self._log(numbers)
                    self.save()
                if board and (done % s.log_every == 0 or last):
                    pace = (done - done_before) / (time.monotonic() - began)
                    people = self.source.share * self.processes.count
                    rates = {"learning rate": rate, "people a second": pace * people}
                    began, done_before = time.monotonic(), done
                    write_scalars(board, numbers | rates, done)
        finally:
            bar.close()
            if board:
                board.close()

    def save(self) -> None:
        """Write the weights to evaluate and ship, then the checkpoint, each atomically.

        A run that is stopped between them resumes from an earlier step and writes both again; in
        the other order, the weights would stay old.
        """
        if self.processes.is_first:
            self.export(self.settings.output / WEIGHTS)
            content = {"learner": self.learner.state(), "record": self.record, "best": self.best}
            write_atomically(self.checkpoint, lambda file: torch.save(content, file))
        self.processes.wait()

    def export(self, path: Path) -> None:
        """Write the averaged weights with the run's record.

        Models trained on rendered crops have the built-in body: they are written without it, and
        large arrays in bfloat16, which takes less room in version control than float16. Others
        are written in full precision and with their body.
        """
        record = self.record | {"steps": self.learner.step_count}
        small = bool(find_crops(self.settings.data))
        save_checkpoint(
            self.learner.mean_model,
            path,
            include_body=not small,
            dtype=torch.bfloat16 if small else None,
            other={"record": record},
        )

    def _validate(self, board: SummaryWriter | None) -> dict[str, float]:
        model = self.learner.mean_model
        self.processes.copy_first(model.buffers())  # the evaluated weights are the written ones
        found: Validation = self.source.validate(model)
        if board:
            picture = draw_overlays(model, self.source.show().images)
            write_picture(board, picture, self.learner.step_count)
        error = found.errors.get(CHOSEN_BY)
        is_better = error is not None and error < self.best.get(CHOSEN_BY, float("inf"))
        if found.chooses and is_better:
            self.best = found.errors | {"step": float(self.learner.step_count)}
            if self.processes.is_first:
                self.export(self.settings.output / BEST)
        return found.errors

    def _log(self, numbers: dict[str, float]) -> None:
        if not self.processes.is_first:
            return
        line = {"step": self.learner.step_count, "hours": self.record["hours"], **numbers}
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _resume(self) -> None:
        try:
            saved = read_data(self.checkpoint)
        except CheckpointError as error:
            if isinstance(error.__cause__, OSError | MemoryError):
                raise error.__cause__ from error
            reason = _shorten(error.__cause__ or error)
            raise ValueError(
                f"{self.checkpoint} must be a checkpoint of a run, got a file that cannot be read "
                f"({reason}); {_REMEDY}"
            ) from error
        try:
            other = self._find_difference(saved["record"])
            if other is None:
                self.record["hours"] = saved["record"]["hours"]
                self.best = saved["best"]
                self.learner.load_state(saved["learner"])
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.checkpoint} must fit this version of the project, got one that does not "
                f"({_shorten(error)}); {_REMEDY}"
            ) from error
        if other is not None:
            raise ValueError(
                f"{self.checkpoint} must come from the same {other}, got another; {_REMEDY}"
            )
        if self.processes.is_first:
            self._forget_later_lines()

    def _find_difference(self, record: dict[str, Any]) -> str | None:
        """Return the first fact in which a checkpoint's record differs from the run's, or None."""
        found, wanted = (
            each | {"settings": _decisive(each["settings"])} for each in (record, self.record)
        )
        names = ("settings", "processes", *self.source.facts, STARTING_WEIGHTS)
        return next((name for name in names if found.get(name) != wanted[name]), None)

    def _forget_later_lines(self) -> None:
        """Drop what was logged after the checkpoint: those steps are repeated."""
        if not self.log.is_file():
            return
        kept = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                is_kept = json.loads(line)["step"] <= self.learner.step_count
            except ValueError:  # power failed while it was written
                continue
            if is_kept:
                kept.append(f"{line}\n")
        write_text_atomically(self.log, "".join(kept))


def hash_starting_weights(settings: TrainSettings) -> dict[str, str]:
    """Return the SHA-256 of each file that a run's weights come from, by its setting."""
    files = {"initial": settings.initial, "backbone_weights": settings.backbone_weights}
    return {name: hash_files([path]) for name, path in files.items() if path is not None}


def check_body(model: BackboneModel) -> None:
    """Refuse a model for rendered crops that has another body than they show.

    Raises:
        ValueError: it is not the built-in body.
    """
    if not is_builtin(model.body.arrays()):
        raise ValueError(
            "a model that learns from rendered crops must have the body that they show, the "
            "built-in one, got another; leave `body` unset and begin with weights without a body, "
            "or train without rendered crops"
        )


def read_record(initial: Path | None) -> dict[str, Any] | None:
    """Return the record of the run that wrote a checkpoint; None if there is none."""
    record: dict[str, Any] | None = None
    if initial is not None:
        record = read_checkpoint(initial).other.get("record")
    return record


def check_room(folder: Path, learner: Learner[Any]) -> None:
    """Fail if the disk cannot hold a run's checkpoints, the old and the new one at once.

    Raises:
        OSError: there is too little space.
    """
    weights = sum(4 * p.numel() for p in learner.trained)
    body = sum(4 * b.numel() for b in learner.model.body.buffers())
    states = 3 + bool(learner.settings.ema)  # weights, two moments, their average
    needed = 2 * weights * states + 3 * (weights + body)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"checkpoints need {needed / 1e9:.1f} GB, got {free / 1e9:.1f} GB free in {folder}; "
            "free space or set output to another folder"
        )


def write_scalars(board: SummaryWriter, numbers: dict[str, float], step: int) -> None:
    """Write numbers to TensorBoard: losses, errors, and others."""
    for name, value in numbers.items():
        group = "error" if name.isupper() or "-" in name else "training"
        board.add_scalar(f"{group}/{name}", value, step)


def write_picture(board: SummaryWriter, picture: Any, step: int) -> None:  # noqa: ANN401
    """Write an (h, w, 3) picture to TensorBoard."""
    board.add_image("overlays", picture, step, dataformats="HWC")


def _decisive(settings: dict[str, Any]) -> dict[str, Any]:
    """Drop settings that do not affect the results."""
    kept = {name: value for name, value in settings.items() if name not in _FREE_FIELDS}
    return kept | {"data": _decisive_data(kept["data"])}


def _decisive_data(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name not in ("workers", "root")}
    if "parts" in kept:
        parts = [part | {"data": _decisive_data(part["data"])} for part in kept["parts"]]
        kept["parts"] = parts
    return kept


def _shorten(error: BaseException) -> str:
    """Return an error's text to quote, on one line."""
    return " ".join(str(error).split())[:_SHOWN_REASON]


def main() -> int:
    """Parse the command line and train; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Train a network.")
    parser.add_argument("config", help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        phases = load_phases(arguments.config, arguments.overrides)
        with (
            join_processes(phases[0].device) as processes,
            explain_memory("training", processes.device, "lower batch and raise accumulate"),
        ):
            for settings in phases:
                Run(settings, processes).train()
    except (ValueError, OSError, FloatingPointError, DeviceMemoryError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

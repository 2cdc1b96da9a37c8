"""Train a network: `python -m training.train config/train/nano.yaml [field=value ...]`.

Started again, it goes on from the last checkpoint as if it had not stopped.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Generator
from tqdm import tqdm

from smpler_model.builtin_body import load_builtin_body
from smpler_model.checkpoint import save_checkpoint
from training.configuration import plain_values
from training.crop_files import CropFiles, augment, hash_files, shard_path
from training.evaluate import evaluate_model
from training.learner import Learner
from training.render_crops import shard_seeds
from training.settings import TrainSettings, crop_data, load_settings

CHECKPOINT = "last.pt"
WEIGHTS = "weights.pt"
SECONDS_AN_HOUR = 3600.0


class Run:
    """A run's data, learner and record."""

    def __init__(self, settings: TrainSettings) -> None:
        """Load data, build the network, and go on from a checkpoint where there is one.

        Raises:
            FileNotFoundError: the crops were not rendered.
            ValueError: the checkpoint belongs to other settings or other data.
        """
        torch.set_num_threads(settings.threads)
        self.settings = settings
        self.data = crop_data(settings)
        training, _, held_out = (
            [shard_path(self.data.folder, seed) for seed in seeds]
            for seeds in shard_seeds(self.data)
        )
        self.crops, self.held_out = CropFiles(training), CropFiles(held_out)
        self.learner = Learner(settings, load_builtin_body())
        self.record: dict[str, Any] = {
            "settings": plain_values(settings),
            "data_sha256": hash_files(training),
            "held_out_sha256": hash_files(held_out),
            "hours": 0.0,
            "threads": settings.threads,
        }
        settings.output.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The file to go on from."""
        return self.settings.output / CHECKPOINT

    def train(self) -> None:
        """Learn until all steps are done."""
        s, learner = self.settings, self.learner
        started, hours = time.monotonic(), self.record["hours"]
        bar = tqdm(total=s.steps, initial=learner.step_count, desc=s.model, mininterval=2.0)
        with bar:
            while learner.step_count < s.steps:
                numbers = self._step()
                bar.set_postfix({name: f"{value:.2f}" for name, value in numbers.items()}, False)
                bar.update()
                done = learner.step_count
                self.record["hours"] = hours + (time.monotonic() - started) / SECONDS_AN_HOUR
                if done % s.evaluate_every == 0 or done == s.steps:
                    self._log(numbers | self._evaluate())
                elif done % s.checkpoint_every == 0:
                    self._log(numbers)
                if done % s.checkpoint_every == 0 or done == s.steps:
                    self.save()

    def save(self) -> None:
        """Write the checkpoint, and the mean weights to evaluate and ship; each is whole."""
        partial = self.checkpoint.with_name(f".{CHECKPOINT}.{os.getpid()}")
        torch.save({"learner": self.learner.state(), "record": self.record}, partial)
        partial.replace(self.checkpoint)
        self.export(self.settings.output / WEIGHTS)

    def export(self, path: Path) -> None:
        """Write the mean weights in half precision, without the body, with the run's record."""
        record = self.record | {"steps": self.learner.step_count}
        save_checkpoint(
            self.learner.mean_model,
            path,
            include_body=False,
            dtype=torch.float16,
            other={"record": record},
        )

    def _step(self) -> dict[str, float]:
        """Learn from the crops that belong to the present step, whatever came before it."""
        s, step = self.settings, self.learner.step_count
        batches = len(self.crops) // s.batch
        epoch, place = divmod(step, batches)
        order = torch.randperm(
            len(self.crops), generator=Generator().manual_seed(_mix(s.seed, 1, epoch))
        )
        batch = self.crops.batch(order[place * s.batch : (place + 1) * s.batch])
        generator = Generator().manual_seed(_mix(s.seed, 2, step))
        changed = augment(batch, generator, colour=self.data.colour, cutout=self.data.cutout)
        return self.learner.step(changed)

    def _evaluate(self) -> dict[str, float]:
        return evaluate_model(self.learner.mean_model, self.held_out).means()

    def _log(self, numbers: dict[str, float]) -> None:
        line = {"step": self.learner.step_count, "hours": self.record["hours"], **numbers}
        with (self.settings.output / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _resume(self) -> None:
        saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        for name in ("settings", "data_sha256", "held_out_sha256"):
            if saved["record"][name] != self.record[name]:
                raise ValueError(
                    f"{self.checkpoint} must come from the same {name}, got another; give another "
                    "output folder, or remove the checkpoint"
                )
        self.record = saved["record"]
        self.learner.load_state(saved["learner"])


def _mix(seed: int, purpose: int, number: int) -> int:
    """Return a seed of its own for each purpose and number."""
    return (seed * 4 + purpose) * 1_000_003_000 + number


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train a network.")
    parser.add_argument("config", help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    arguments = parser.parse_args()
    Run(load_settings(arguments.config, arguments.overrides)).train()


if __name__ == "__main__":
    main()

"""Evaluate a model on a data set: `python -m training.evaluate config/evaluate/NAME.yaml`.

On several GPUs: `torchrun --nproc-per-node 2 -m training.evaluate CONFIG`. Every person is counted
once. The outputs are `people.csv`, `sequences.csv` and `summary.json`, which contains the results
and how they were computed.

Differs from the reference where that is wrong: PA-MPJPE is the mean over people with joints in
space, not a sum over everybody divided by their number; nobody is counted twice to fill the last
process's batch; every key of a checkpoint must fit; the trainer here has not selected the
evaluated weights on the test data.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.body.smpl_file import Gender, load_smpl_file
from smpler_model.checkpoints.files import load_backbone_model, load_model, read_checkpoint
from smpler_model.checkpoints.fit import has_transformer
from smpler_model.hashes import hash_files, hash_parts
from smpler_model.inference.device_memory import DeviceMemoryError, explain_memory
from smpler_model.network.config import find_model
from smpler_model.network.smpler import BackboneModel
from training.configuration import load_configuration, plain_values, write_configuration
from training.data.data_settings import TsvSet
from training.data.datasets import TsvDataset
from training.data.labelled_people import Fault, collate
from training.learning.processes import Processes, choose_products, join_processes
from training.learning.starting_models import is_builtin, load_arrays, replace_regressor
from training.scoring.scores import Conventions, Scores, join, score, score_sequences, write_scores
from training.settings import Device

logger = logging.getLogger(__name__)

CONFIGURATION = "configuration.yaml"
_GENDERS: tuple[Gender, ...] = ("male", "female")


@dataclass(frozen=True)
class EvaluateSettings:
    """One evaluation.

    Attributes:
        model: key of `config.MODELS`.
        checkpoint: checkpoint of the model, official or native.
        data: the data set; its YAML file is relative to `root`.
        output: folder for the results.
        root: folder of the data sets.
        regressor: `.npy` of the data set's (17, 6890) joint regressor; the checkpoint's if None.
        bodies: folder of SMPL files, for a checkpoint without a body and for gendered bodies.
        conventions: conventions of the metrics.
        boxes: source of the crops, for the summary; the released data have true boxes.
        batch: number of people in one forward pass.
        workers: number of reading processes per evaluating process.
        bad_rows: number of unreadable rows allowed; they are reported and not counted.
        threads: PyTorch's CPU threads.
        device: `auto` is a GPU if there is one, else the CPU.
    """

    model: str
    checkpoint: Path
    data: TsvSet
    output: Path
    root: Path = Path("datasets")
    regressor: Path | None = None
    bodies: Path | None = None
    conventions: Conventions = field(default_factory=Conventions)
    boxes: str = "ground truth"
    batch: int = 32
    workers: int = 4
    bad_rows: int = 0
    threads: int = 2
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.batch <= 0 or self.threads <= 0:
            raise ValueError(
                f"batch and threads must be positive, got {self.batch} and {self.threads}"
            )
        if self.conventions.gender == "labelled" and self.bodies is None:
            raise ValueError(
                "gender: labelled needs bodies, got none; give a folder with SMPL files of both "
                "genders"
            )


def evaluate(settings: EvaluateSettings, processes: Processes) -> dict[str, float]:
    """Evaluate a model and write the results; return the means under the metrics' usual names.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file does not fit, or too many rows are unreadable. Results up to then are
            written before.
    """
    torch.set_num_threads(settings.threads)
    choose_products(tf32=False)
    model = load_evaluated(settings).to(processes.device)
    dataset = TsvDataset(settings.root / settings.data.yaml, model.config.image_size)
    bodies = _gendered_bodies(settings, model, processes.device)
    own, faults = _score_share(settings, model, dataset, bodies, processes)
    gathered = processes.gather((own, faults))
    faults = sorted((f for _, some in gathered for f in some), key=lambda fault: fault.row)
    parts = [part for some, _ in gathered for part in some]
    if not parts:
        raise ValueError(f"{dataset.path} must hold readable people, got none")
    scores = join(parts)
    if len(scores) + len(faults) != len(dataset):
        raise ValueError(
            f"{len(dataset)} people must be evaluated, got {len(scores)} and {len(faults)} "
            "unreadable ones; report this as a bug"
        )
    means = scores.means()
    if processes.is_first:
        settings.output.mkdir(parents=True, exist_ok=True)
        write_configuration(settings, settings.output / CONFIGURATION)
        sequences = score_sequences(scores, settings.data.sequence, settings.conventions)
        facts = describe(settings, model, dataset, faults)
        means = write_scores(settings.output, scores, sequences, facts, settings.conventions)
    processes.wait()
    if len(faults) > settings.bad_rows:
        raise ValueError(
            f"at most {settings.bad_rows} rows may be unreadable, got {len(faults)}, the first: "
            f"{faults[0].reason}; download the data again, or raise bad_rows"
        )
    return means


def load_evaluated(settings: EvaluateSettings) -> BackboneModel:
    """Load the model of an evaluation, with the data set's joint regressor.

    Raises:
        ValueError: a file does not fit.
        FileNotFoundError: a file is missing.
    """
    config = find_model(settings.model)
    checkpoint = read_checkpoint(settings.checkpoint)
    body: BodyArrays | None = None
    if not checkpoint.has_body:
        body = (
            load_arrays(settings.bodies, settings.regressor)
            if settings.bodies
            else load_builtin_body()
        )
    load = load_model if has_transformer(checkpoint.state) else load_backbone_model
    model: BackboneModel = load(settings.checkpoint, config=config, body=body)
    if settings.regressor:
        model.body = Body(replace_regressor(model.body.arrays(), settings.regressor))
    return model.eval()


def describe(
    settings: EvaluateSettings, model: BackboneModel, dataset: TsvDataset, faults: Sequence[Fault]
) -> dict[str, Any]:
    """Return the facts needed to compare the results with others."""
    regressor = model.body.J_regressor_h36m
    assert regressor is not None
    values = regressor.cpu().numpy()
    return {
        "settings": plain_values(settings),
        "checkpoint_sha256": hash_files([settings.checkpoint]),
        "body": _name_body(settings, model),
        "regressor": str(settings.regressor or "the checkpoint's"),
        "regressor_sha256": (
            hash_files([settings.regressor]) if settings.regressor else hash_parts([values])
        ),
        "data": str(dataset.path),
        "rows": len(dataset),
        "frames": "all rows of the data set",
        "boxes": settings.boxes,
        "unreadable": [fault.reason for fault in faults],
        "units": {
            "MPJPE": "mm",
            "PA-MPJPE": "mm",
            "MPVE": "mm",
            "Accel": "mm per frame squared",
            "PCK": "fraction of joints within 150 mm",
            "AUC": "mean PCK of 0 to 150 mm",
        },
    }


def _name_body(settings: EvaluateSettings, model: BackboneModel) -> str:
    if is_builtin(model.body.arrays()):
        return "the built-in one"
    if read_checkpoint(settings.checkpoint).has_body:
        return "the checkpoint's"
    return str(settings.bodies)


def _gendered_bodies(
    settings: EvaluateSettings, model: BackboneModel, device: torch.device
) -> dict[str, Body]:
    if settings.conventions.gender != "labelled":
        return {}
    regressor = model.body.arrays().J_regressor_h36m
    bodies: dict[str, Body] = {}
    for gender in _GENDERS:
        arrays = load_smpl_file(settings.bodies or Path(), regressor, gender=gender)
        bodies[gender] = Body(arrays).to(device)
    return bodies


def _score_share(
    settings: EvaluateSettings,
    model: BackboneModel,
    dataset: TsvDataset,
    bodies: dict[str, Body],
    processes: Processes,
) -> tuple[list[Scores], list[Fault]]:
    """Score this process's people, every n-th from its rank on; nobody is scored twice."""
    mine = list(range(processes.rank, len(dataset), processes.count))
    groups = [mine[k : k + settings.batch] for k in range(0, len(mine), settings.batch)]
    loader: Iterator[Any] = iter(
        DataLoader(dataset, batch_sampler=groups, num_workers=settings.workers, collate_fn=collate)
    )
    scores, faults = [], []
    for batch in tqdm(loader, total=len(groups), desc="batches", disable=not processes.is_first):
        for fault in batch.faults:
            logger.warning("left out: %s", fault.reason)
        faults.extend(batch.faults)
        if len(batch):
            moved = batch.to(processes.device)
            scores.append(score(model, moved, settings.conventions, bodies))
    return scores, faults


def main() -> int:
    """Parse the command line and evaluate; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Evaluate a model on a data set.")
    parser.add_argument("config", help="YAML file of the evaluation")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        settings = load_configuration(EvaluateSettings, arguments.config, arguments.overrides)
        with (
            join_processes(settings.device) as processes,
            explain_memory("the evaluation", processes.device, "lower batch"),
        ):
            means = evaluate(settings, processes)
            if processes.is_first:
                shown = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
                sys.stdout.write(f"{shown}\nwritten to {settings.output}\n")
    except (ValueError, OSError, DeviceMemoryError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Evaluates a model on held-out people and writes its card.

Run it as `python -m training.scoring.model_card`. Everything in the card is computed here or comes
from the record in the model's file.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import load_model, read_checkpoint
from smpler_model.checkpoints.shipped import shipped_path
from smpler_model.file_hashes import hash_files
from smpler_model.network.config import find_model
from smpler_model.people.metrics import Errors
from synthetic.crop_style import CropStyle
from training.data.crop_files import CropFiles, render_file, shard_path
from training.data.render_crops import make_renderer, shard_seeds
from training.scoring.crop_errors import evaluate, evaluate_model, mean_answer, rest_answer
from training.settings import TrainSettings, crop_data, load_settings

CARD = Path(__file__).parents[2] / "docs" / "smpler_nano.md"
_METRICS = ("MPJPE", "PA-MPJPE", "MPVE")
_ANY_POSES = 512  # people to draw

_LIMITS = """\
- It has seen the built-in body and drawn rooms only, no photo of a person. On real images its
  error is larger than here, and unknown.
- The share of the error that comes from the body's own shape is that of the built-in body, not of
  SMPL.
"""


def measure(weights: Path, settings: TrainSettings) -> dict[str, Errors]:
    """Return the held-out errors of a model's file and of two baselines that ignore the image.

    The model is also evaluated on people in arbitrary poses, whatever its training data.
    """
    data = crop_data(settings)
    training, _, held_out = (
        [shard_path(data.folder, seed) for seed in seeds] for seeds in shard_seeds(data)
    )
    arrays = load_builtin_body()
    model = load_model(weights, config=find_model(settings.model), body=arrays)
    body = Body(arrays)
    crops = CropFiles(held_out)
    mean = mean_answer(CropFiles(training[:1]))
    hard = draw_any_poses(settings, min(_ANY_POSES, len(crops)))
    return {
        settings.model: evaluate_model(model, crops),
        "its first guess": evaluate_model(model, crops, stage=0),
        "mean pose": evaluate(mean, body, crops),
        "constant rest pose": evaluate(rest_answer(), body, crops),
        f"{settings.model}, people in any pose": evaluate_model(model, hard),
        "mean pose, people in any pose": evaluate(mean, body, hard),
    }


def draw_any_poses(settings: TrainSettings, people: int) -> CropFiles:
    """Render crops like a run's, but of people in arbitrary poses only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crops.npz"
        seed = crop_data(settings).held_out_seed
        render_file(make_renderer(settings, CropStyle(everyday=0.0)), path, seed, people)
        return CropFiles([path])


def format_table(errors: dict[str, Errors]) -> str:
    """Return errors as a Markdown table, millimetres."""
    lines = [f"| mm | {' | '.join(_METRICS)} |", "|---|" + "---|" * len(_METRICS)]
    for name, values in errors.items():
        means = values.means()
        cells = " | ".join(f"{means[metric]:.1f}" for metric in _METRICS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def format_gain(errors: dict[str, Errors], model: str) -> str:
    """Return a sentence that compares a model's error with the mean pose's."""
    found, mean = (errors[name].means()["MPJPE"] for name in (model, "mean pose"))
    return f"MPJPE is {100 * (1 - found / mean):.0f} percent below that of the mean pose"


def write_card(
    weights: Path, settings: TrainSettings, errors: dict[str, Errors], config: str
) -> str:
    """Return the model card as Markdown."""
    record: dict[str, Any] | None = read_checkpoint(weights).other.get("record")
    if record is None:
        raise ValueError(
            f"{weights} must hold the record of its training, got none; give weights of "
            "training.train"
        )
    people = len(next(iter(errors.values())).mpjpe)
    data = record["settings"]["data"]
    facts = {
        "command of the last run": f"`{_command(record)} {config}`",
        "training crops": data["shards"] * data["crops"],
        "training data": f"SHA-256 `{record['data_sha256'][:16]}`",
        "weights": f"{weights.stat().st_size / 1e6:.2f} MB, half precision, "
        f"SHA-256 `{hash_files([weights])[:16]}`",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return (
        f"# {settings.model}\n\nWritten by `python -m training.scoring.model_card {config}`.\n\n"
        f"## Training\n\n| | |\n|---|---|\n{rows}\n\n{format_runs(record)}\n\n"
        f"## Held-out error\n\n{people} synthetic people whose seeds are not in training; 14 "
        "joints, the hips' midpoint as origin; vertices, the regressed pelvis as origin; in the "
        "camera's frame, which people face in all directions. They do what those of the synthetic "
        "scenes do: walk, stand, wave, sit, reach, turn; those of the last two lines take any "
        f"pose, as did {100 * (1 - data['everyday']):.0f} percent of the training crops.\n\n"
        f"{format_table(errors)}\n\n## Limits\n\n{_LIMITS}"
    )


def format_runs(record: Mapping[str, Any]) -> str:
    """Return a run and its predecessors, first to last, as a Markdown table."""
    runs: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] | None = record
    while last is not None:
        runs.insert(0, last)
        last = last.get("before")
    lines = ["| run | seed | steps | crops a step | hours | CPU processes |", "|---|" + "---|" * 5]
    for run in runs:
        used = run["settings"]
        each = run["processes"] * used["batch"] * used["accumulate"]
        lines.append(
            f"| `{Path(used['output']).name}` | {used['seed']} | {run['steps']} of "
            f"{used['steps']} | {each} | {run['hours']:.2f} | {run['processes']} of "
            f"{run['threads']} threads |"
        )
    lines.append(f"\n{sum(run['hours'] for run in runs):.2f} hours in all.")
    return "\n".join(lines)


def _command(record: Mapping[str, Any]) -> str:
    processes = record["processes"]
    if processes == 1:
        return "python -m training.train"
    return f"torchrun --nproc-per-node {processes} -m training.train"


def main() -> int:
    """Parse the command line, evaluate, print and write; return the exit status."""
    parser = argparse.ArgumentParser(description="Evaluate a model and write its card.")
    parser.add_argument("config", nargs="?", default="config/train/nano.yaml")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    parser.add_argument("--weights", type=Path, help="weights; default: the shipped file")
    parser.add_argument("--card", type=Path, default=CARD, help="file to write")
    arguments = parser.parse_args()
    try:
        settings = load_settings(arguments.config, arguments.overrides)
        weights = arguments.weights or shipped_path(settings.model)
        errors = measure(weights, settings)
        card = write_card(weights, settings, errors, arguments.config)
        write_text_atomically(arguments.card, card)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{format_table(errors)}\n{format_gain(errors, settings.model)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

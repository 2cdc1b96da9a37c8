"""Evaluates a model on held-out people and writes its card.

Run it as `python -m training.scoring.model_card`. Everything in the card is computed here or comes
from the record in the model's file.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import load_model, read_checkpoint
from smpler_model.checkpoints.shipped import shipped_path
from smpler_model.hashes import hash_files
from smpler_model.network.config import find_model
from smpler_model.network.smpler import Smpler
from smpler_model.people.metrics import Errors
from synthetic.crop_style import CropStyle
from training.data.crop_files import CropFiles, render_file, shard_path
from training.data.render_crops import make_renderer, shard_seeds
from training.scoring.crop_errors import (
    evaluate,
    evaluate_model,
    evaluate_stages,
    mean_answer,
    rest_answer,
)
from training.scoring.stages import ALIGNMENT, FIRST_GUESS
from training.scoring.training_record import (
    count_people,
    follows_recipe,
    format_runs,
    format_sources,
)
from training.settings import TrainSettings, crop_data, load_phases

CARD = Path(__file__).parents[2] / "docs" / "smpler_nano.md"
_METRICS = ("MPJPE", "PA-MPJPE", "MPVE")
_ANY_POSES = 512  # people to draw

_OTHER_RUNS = """\
These runs are not the phases of the recipe as it is now, see [training.md](training.md).

"""
_OF_PHOTOS, _OF_VIDEOS = "pck", "mpjpe_mm"
"""Figures that `benchmarks.real_people` has of photos alone, and of each video alone."""

_VIDEO_TABLE = """\
| video | images | MPJPE, mm | PA-MPJPE, mm | hips, m | torso, degrees |
|---|---|---|---|---|---|
"""
_STAGE_TABLE = """\
The network's estimates one after another; those of the blocks are not yet aligned with keypoints:

| estimate | PCK@0.1 | PCK@0.05 | video MPJPE, mm | PA-MPJPE, mm | hips, m | torso, degrees |
|---|---|---|---|---|---|---|
"""
_LIMITS = """\
- All rendered people have the built-in body, so the held-out errors say how well that body's shape
  is estimated, not SMPL's.
- How far a limb is from the camera is less certain than its place in the image.
"""


def measure(weights: Path, settings: TrainSettings) -> dict[str, Errors]:
    """Return the held-out errors of a model's file and of two baselines that ignore the image.

    The crops are those of the first source. The model is also evaluated on people in arbitrary
    poses, whatever its training data.
    """
    data = crop_data(settings)[0]
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
        **name_rows(model, evaluate_stages(model, crops)),
        "mean pose": evaluate(mean, body, crops),
        "constant rest pose": evaluate(rest_answer(), body, crops),
        f"{settings.model}, people in any pose": evaluate_model(model, hard),
        "mean pose, people in any pose": evaluate(mean, body, hard),
    }


def name_rows(model: Smpler, stages: Mapping[str, Errors]) -> dict[str, Errors]:
    """Return the errors of a model's estimates by the names of the card's rows, the final first.

    Args:
        model: the model.
        stages: errors by the names of `stages.name_stages`.
    """
    final = list(stages)[-1]
    rows = {model.config.name: stages[final]}
    for name, errors in stages.items():
        if name == FIRST_GUESS:
            rows["its first guess"] = errors
        elif name != final:
            rows[f"after {name}"] = errors
    if ALIGNMENT in stages:
        name, errors = rows.popitem()
        rows[f"{name}, before alignment"] = errors
    return rows


def draw_any_poses(settings: TrainSettings, people: int) -> CropFiles:
    """Render crops like a run's, but of people in arbitrary poses only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crops.npz"
        seed = crop_data(settings)[0].held_out_seed
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
    weights: Path,
    phases: Sequence[TrainSettings],
    errors: dict[str, Errors],
    config: str,
    real: Mapping[str, Any] | None = None,
) -> str:
    """Return the model card as Markdown.

    Args:
        weights: the model's file.
        phases: settings of the recipe's phases.
        errors: errors on held-out crops, see `measure`.
        config: path of the run's configuration.
        real: figures of `benchmarks.real_people`; None if there are none.
    """
    record: dict[str, Any] | None = read_checkpoint(weights).other.get("record")
    if record is None:
        raise ValueError(
            f"{weights} must hold the record of its training, got none; give weights of "
            "training.train"
        )
    people = len(next(iter(errors.values())).mpjpe)
    facts = {
        "recipe": f"`{_command(record)} {config}`",
        **count_people(record),
        "weights": f"{weights.stat().st_size / 1e6:.2f} MB, "
        f"SHA-256 `{hash_files([weights])[:16]}`",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    given = f"{config} --real figures.json" if real else config
    return (
        f"# {phases[-1].model}\n\nWritten by `python -m training.scoring.model_card {given}`.\n\n"
        f"## Training\n\n| | |\n|---|---|\n{rows}\n\n{format_runs(record)}\n\n"
        f"{'' if follows_recipe(record, phases) else _OTHER_RUNS}"
        f"{format_sources(record)}\n{format_real(real) if real else ''}"
        f"## Held-out error\n\n{people} synthetic people whose seeds are not in training; 14 "
        "joints, the hips' midpoint as origin; vertices, the regressed pelvis as origin; in the "
        "camera's frame, which people face in all directions. They do what those of the synthetic "
        "scenes do: walk, stand, wave, sit, reach, turn; those of the last two lines take any "
        "pose.\n\n"
        f"{format_table(errors)}\n\n## Limits\n\n{_LIMITS}"
    )


def format_real(figures: Mapping[str, Any]) -> str:
    """Return the figures of `benchmarks.real_people` as a section of the card."""
    text = "By `python -m benchmarks.real_people`, see [accuracy.md](accuracy.md)."
    if photos := figures.get("photos"):
        text += (
            f" PCK@0.1 and PCK@0.05 of {_of(photos, 'people')} people in photos, none of which "
            f"are training data: {photos['pck'][0]:.3f} and {photos['pck'][1]:.3f}."
        )
    rows = [
        f"| {'all' if name == 'videos' else name} | {_of(video, 'frames')} | "
        f"{' | '.join(_video_cells(video))} |"
        for name, video in figures.items()
        if _OF_VIDEOS in video
    ]
    table = f"\n\n{_VIDEO_TABLE}" + "\n".join(rows) if rows else ""
    return f"## Real people\n\n{text}{table}{_format_stages(figures.get('stages', ()))}\n\n"


def _of(figures: Mapping[str, Any], name: str) -> str:
    """Return a number of people or frames, and how many there are if some were not found."""
    found, expected = figures[name], figures.get("expected", figures[name])
    return f"{found}" if found == expected else f"{found} of {expected}"


def _format_stages(stages: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the estimates of a network, one after another; nothing without any."""
    if not stages:
        return ""
    rows = []
    for stage in stages:
        photos, video = stage["photos"], stage["videos"]
        shares = [f"{share:.3f}" for share in photos["pck"]] if photos else [""] * 2
        errors = _video_cells(video) if video else [""] * 4
        rows.append(f"| {' | '.join([_describe(stage['name']), *shares, *errors])} |")
    return f"\n\n{_STAGE_TABLE}" + "\n".join(rows)


def _describe(stage: str) -> str:
    return stage if stage in (FIRST_GUESS, ALIGNMENT) else f"after {stage}"


def _video_cells(video: Mapping[str, Any]) -> list[str]:
    return [
        f"{video['mpjpe_mm']:.0f}",
        f"{video['pa_mpjpe_mm']:.0f}",
        f"{video['hips_m']:.2f}",
        f"{video['turn_deg']:.0f}",
    ]


def read_figures(path: Path) -> dict[str, Any]:
    """Read figures of `benchmarks.real_people`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has none of photos or videos.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"--real must be an existing file, got {path}; give figures.json of "
            "benchmarks.real_people"
        )
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        figures = None
    parts = figures.values() if isinstance(figures, dict) else ()
    known = {_OF_PHOTOS, _OF_VIDEOS}
    if not any(isinstance(part, dict) and known & part.keys() for part in parts):
        raise ValueError(
            f"--real must have figures of photos or videos, got none in {path}; give figures.json "
            "of benchmarks.real_people"
        )
    return dict(figures)


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
    parser.add_argument(
        "--real", type=Path, help="figures.json of benchmarks.real_people for the same weights"
    )
    arguments = parser.parse_args()
    try:
        phases = load_phases(arguments.config, arguments.overrides)
        settings = phases[-1]
        weights = arguments.weights or shipped_path(settings.model)
        real = read_figures(arguments.real) if arguments.real else None
        errors = measure(weights, settings)
        card = write_card(weights, phases, errors, arguments.config, real)
        write_text_atomically(arguments.card, card)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{format_table(errors)}\n{format_gain(errors, settings.model)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

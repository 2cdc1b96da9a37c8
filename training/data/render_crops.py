"""Render a run's crops: `python -m training.data.render_crops config/train/nano.yaml`.

Files that are there are kept, so that it may be stopped and started, and run several times at once
with `--part 0/2` and `--part 1/2`.
"""

import argparse
import sys

import torch
from tqdm import tqdm

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.config import find_model
from synthetic.crop_style import CropStyle
from synthetic.crops import CropRenderer
from synthetic.people.recorded import RecordedPoses
from synthetic.world.photos import ScenePhotos
from training.data.backgrounds import find_backgrounds
from training.data.crop_files import render_file, shard_path
from training.data.data_settings import SHOWN, CropData
from training.settings import TrainSettings, crop_data, load_settings


def shard_seeds(data: CropData) -> tuple[list[int], list[int], list[int]]:
    """Return the seeds of the files to train on, to choose by, and of those held out."""
    return (
        list(range(0, data.shards * data.seed_step, data.seed_step)),
        list(range(data.validation_seed, data.validation_seed + data.validation_shards)),
        list(range(data.held_out_seed, data.held_out_seed + data.held_out_shards)),
    )


def make_renderer(
    settings: TrainSettings,
    style: CropStyle,
    poses: RecordedPoses | None = None,
    photos: ScenePhotos | None = None,
) -> CropRenderer:
    """Return what draws crops of a run's size."""
    side = find_model(settings.model).image_size
    body = Body(load_builtin_body())
    return CropRenderer(body, side, style=style, poses=poses, photos=photos)


def make_shown_renderer(settings: TrainSettings) -> CropRenderer:
    """Return what draws crops to train on.

    Raises:
        FileNotFoundError: a folder of poses or backgrounds has none.
        ValueError: a file in it is of another form.
    """
    data = crop_data(settings)
    return make_renderer(
        settings,
        CropStyle(**{name: getattr(data, name) for name in SHOWN}),
        RecordedPoses(data.poses) if data.poses else None,
        find_backgrounds(data.backgrounds) if data.backgrounds else None,
    )


def render_crops(settings: TrainSettings, part: int = 0, parts: int = 1) -> None:
    """Render the files that are missing, every `parts`-th from `part`."""
    data = crop_data(settings)
    training, validation, held_out = shard_seeds(data)
    data.folder.mkdir(parents=True, exist_ok=True)
    shown = make_shown_renderer(settings)
    asked = make_renderer(settings, CropStyle(everyday=1.0))
    for seed in tqdm((held_out + validation + training)[part::parts], desc="files"):
        path = shard_path(data.folder, seed)
        if not path.exists():
            render_file(shown if seed in training else asked, path, seed, data.crops)


def main() -> int:
    """Read the command line and render; returns the exit code."""
    parser = argparse.ArgumentParser(description="Render the crops of a training run.")
    parser.add_argument("config", help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    parser.add_argument("--part", default="0/1", help="this process' share, such as 1/4")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        part, parts = read_part(arguments.part)
        render_crops(load_settings(arguments.config, arguments.overrides), part, parts)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def read_part(text: str) -> tuple[int, int]:
    """Return which part of how many a text such as 1/4 names.

    Raises:
        ValueError: it names none.
    """
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise ValueError(f"part must be 0/N to N-1/N such as 1/4, got '{text}'; correct it")
    return int(part), int(parts)


if __name__ == "__main__":
    sys.exit(main())

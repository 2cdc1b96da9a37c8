"""Render a run's crops: `python -m training.data.render_crops config/train/nano.yaml`.

Existing files are kept, so it may be stopped and resumed, and run several times at once with
`--part 0/2` and `--part 1/2`. `--sheet crops.png` draws 64 of the training crops into an image
instead, and prints how many are drawn in a second.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from smpler_model.atomic_files import write_atomically
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

SHEET_SUFFIXES = (".png", ".jpg")
_SHEET_SIDE = 8  # crops


def shard_seeds(data: CropData) -> tuple[list[int], list[int], list[int]]:
    """Return the seeds of the files for training, for validation, and held out."""
    return (
        list(range(data.shards)),
        list(range(data.validation_seed, data.validation_seed + data.validation_shards)),
        list(range(data.held_out_seed, data.held_out_seed + data.held_out_shards)),
    )


def make_renderer(
    settings: TrainSettings,
    style: CropStyle,
    poses: RecordedPoses | None = None,
    photos: ScenePhotos | None = None,
) -> CropRenderer:
    """Return a renderer for crops of the run's size."""
    side = find_model(settings.model).image_size
    body = Body(load_builtin_body())
    return CropRenderer(body, side, style=style, poses=poses, photos=photos)


def make_shown_renderer(settings: TrainSettings, data: CropData) -> CropRenderer:
    """Return a renderer for training crops.

    Raises:
        FileNotFoundError: a folder of poses or backgrounds has none.
        ValueError: a file in it has another format.
    """
    return make_renderer(
        settings,
        CropStyle(**{name: getattr(data, name) for name in SHOWN}),
        RecordedPoses(data.poses) if data.poses else None,
        find_backgrounds(data.backgrounds) if data.backgrounds else None,
    )


def render_crops(settings: TrainSettings, part: int = 0, parts: int = 1) -> None:
    """Render the missing files of all sources, every `parts`-th from `part` on."""
    asked = make_renderer(settings, CropStyle(everyday=1.0))
    for data in crop_data(settings):
        training, validation, held_out = shard_seeds(data)
        data.folder.mkdir(parents=True, exist_ok=True)
        shown = make_shown_renderer(settings, data)
        for seed in tqdm((held_out + validation + training)[part::parts], desc=str(data.folder)):
            path = shard_path(data.folder, seed)
            if not path.exists():
                render_file(shown if seed in training else asked, path, seed, data.crops)


def write_sheet(settings: TrainSettings, path: Path) -> float:
    """Write 8 rows of 8 crops to train on as an image; return how many a second of CPU time.

    Sources take turns, a row each.

    Raises:
        ValueError: the image has an unknown suffix.
        OSError: it cannot be written.
    """
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(f"--sheet must be a .png or .jpg file, got {path}; rename it")
    renderers = [make_shown_renderer(settings, data) for data in crop_data(settings)]
    generator = torch.Generator().manual_seed(0)
    start = time.process_time()
    rows = [
        renderers[row % len(renderers)].draw_seen(_SHEET_SIDE, generator).images
        for row in range(_SHEET_SIDE)
    ]
    rate = _SHEET_SIDE**2 / (time.process_time() - start)
    tiles = torch.stack(rows)  # (rows, columns, 3, s, s)
    rgb = tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    _, data = cv2.imencode(path.suffix, np.ascontiguousarray(rgb.numpy()[..., ::-1]))
    write_atomically(path, lambda file: file.write(data.tobytes()))
    return rate


def main() -> int:
    """Parse the command line and render; return the exit status."""
    parser = argparse.ArgumentParser(description="Render the crops of a training run.")
    parser.add_argument("config", help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    parser.add_argument("--part", default="0/1", help="share of this process, such as 1/4")
    parser.add_argument("--sheet", type=Path, help="image for some of the crops, instead of files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        part, parts = read_part(arguments.part)
        settings = load_settings(arguments.config, arguments.overrides)
        if arguments.sheet:
            rate = write_sheet(settings, arguments.sheet)
            sys.stdout.write(f"{arguments.sheet}: {rate:.1f} crops a second of CPU time\n")
        else:
            render_crops(settings, part, parts)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def read_part(text: str) -> tuple[int, int]:
    """Return part and number of parts of a text such as 1/4.

    Raises:
        ValueError: another text.
    """
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise ValueError(f"part must be 0/N to N-1/N such as 1/4, got '{text}'")
    return int(part), int(parts)


if __name__ == "__main__":
    sys.exit(main())

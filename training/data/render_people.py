"""Write drawn people as data sets: `python -m training.data.render_people config/train/FILE.yaml`.

Every missing set that a run names is written in the released layout, so that everything from data
sets to error metrics can be tried without the real ones.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from synthetic.crops import CropRenderer
from synthetic.tsv_files import write_tsv_dataset
from training.data.data_settings import TsvData
from training.settings import load_settings


def render_people(paths: list[Path], people: int, side: int) -> None:
    """Write the missing data sets; the seed of each is its index in the list."""
    renderer = CropRenderer(Body(load_builtin_body()), side)
    for seed, path in enumerate(tqdm(paths, desc="data sets")):
        if not path.exists():
            write_tsv_dataset(path.parent, path.stem, renderer, people, seed)


def main() -> int:
    """Parse the command line and render; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Write synthetic people as data sets.")
    parser.add_argument("config", help="YAML file of a training run")
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    parser.add_argument("--people", type=int, default=256, help="number of people per data set")
    parser.add_argument("--side", type=int, default=160, help="side of the images, pixels")
    arguments = parser.parse_args()
    try:
        data = load_settings(arguments.config, arguments.overrides).data
        if not isinstance(data, TsvData):
            raise ValueError(f"data must be tsv, got {data.kind}; use training.data.render_crops")
        names = [*(part.yaml for part in data.sets), *data.test]
        render_people([data.root / name for name in names], arguments.people, arguments.side)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

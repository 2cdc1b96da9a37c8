"""Label photos: `python -m training.data.labelling lsp FOLDER --teacher NETWORK.tflite`.

FOLDER is a data set as published, `lsp` or `ccp`. The labels go to `people.json` in it,
which `training.data.prepare_photos` reads. The networks are MediaPipe's; they run in
`ai_edge_litert`. An interrupted run continues where it stopped.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.data.labelling import ccp, lsp
from training.data.labelling.people_file import LabelledPhoto, write_people


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and label; return 1 after an error, which is one sentence."""
    chosen = build_parser().parse_args(arguments)
    try:
        photos = _label(chosen)
        path = chosen.folder / "people.json"
        write_people(path, photos)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; {chosen.folder / 'answers.npz'} keeps what is done\n")
        return 130
    known = sum(photo.joints is not None for photo in photos)
    sys.stdout.write(f"{path}: {len(photos)} people, {known} of them with joints in metres\n")
    return 0


def _label(chosen: argparse.Namespace) -> list[LabelledPhoto]:
    if chosen.first is not None and chosen.first < 1:
        raise ValueError(f"--first must be at least 1, got {chosen.first}")
    if chosen.data == "lsp":
        return lsp.label(chosen.folder, chosen.teacher, chosen.first)
    return ccp.label(chosen.folder, chosen.teacher, chosen.second, chosen.first)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.data.labelling", description="Label photos of people."
    )
    sets = parser.add_subparsers(dest="data", required=True)
    for name, told in (("lsp", "Leeds Sports Pose, extended"), ("ccp", "Clothing Co-Parsing")):
        each = sets.add_parser(name, help=told)
        each.add_argument(
            "folder", type=Path, help="folder of the data set, where people.json is written"
        )
        each.add_argument("--teacher", type=Path, required=True, help="pose_landmark_heavy.tflite")
        if name == "ccp":
            each.add_argument(
                "--second", type=Path, required=True, help="pose_landmark_full.tflite"
            )
        each.add_argument("--first", type=int, help="label only this many photos, the first")
    return parser


if __name__ == "__main__":
    sys.exit(main())

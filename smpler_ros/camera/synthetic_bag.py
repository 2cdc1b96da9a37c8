"""`synthetic_bag`: a bag of people in synthetic rooms, with ground truth."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from tqdm import tqdm

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS
from smpler_model.commands.command import INTERRUPTED, read_arguments
from smpler_ros.bags.bag_writer import BAG_FORMATS
from smpler_ros.camera.scene_bag import SceneBagConfig, write_scene_bag


def main(arguments: list[str] | None = None) -> int:
    """Write the bag that the command line describes; return the exit status."""
    chosen = read_arguments(build_parser(), arguments)
    names = {field.name for field in fields(SceneBagConfig)}
    given = {name: value for name, value in vars(chosen).items() if name in names}
    try:
        config = SceneBagConfig(**given | {"coefficients": tuple(chosen.coefficients)})
        total = config.frames * config.cameras
        with tqdm(total=total, unit="image", disable=chosen.quiet) as bar:
            write_scene_bag(
                chosen.bag, Body(load_builtin_body()), config, chosen.format, bar.update
            )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"synthetic_bag: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"synthetic_bag: interrupted; {chosen.bag} ends there\n")
        return INTERRUPTED
    sys.stdout.write(f"{chosen.bag}: {total} images\n")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    usual = SceneBagConfig()
    parser = argparse.ArgumentParser(prog="synthetic_bag", description=__doc__)
    parser.add_argument("bag", type=Path, help="path of the bag, which must not exist yet")
    parser.add_argument("--format", choices=BAG_FORMATS, default="mcap", help="default: mcap")
    numbers: list[tuple[str, type, str]] = [
        ("duration_s", float, "length, seconds"),
        ("rate_hz", float, "frame rate of each camera, Hz"),
        ("width", int, "of the images, pixels"),
        ("height", int, "of the images, pixels"),
        ("fov_deg", float, "horizontal field of view, degrees"),
        ("people", int, "in each room"),
        ("cameras", int, "each in a room of its own"),
        ("seed", int, "decides everything"),
    ]
    for name, kind, text in numbers:
        flag = "--" + name.removesuffix("_s").removesuffix("_hz").removesuffix("_deg")
        default = getattr(usual, name)
        parser.add_argument(
            flag, dest=name, type=kind, default=default, help=f"{text}; default: {default}"
        )
    parser.add_argument("--image", choices=("jpeg", "raw"), default=usual.image)
    parser.add_argument("--depth", action="store_true", help="aligned depth images, too")
    parser.add_argument(
        "--camera-motion", choices=("still", "pan", "drive"), default=usual.camera_motion
    )
    parser.add_argument("--lens", choices=tuple(COEFFICIENT_COUNTS), default=usual.lens)
    parser.add_argument(
        "--coefficients", type=float, nargs="*", default=(), help="of the lens, in OpenCV's order"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser

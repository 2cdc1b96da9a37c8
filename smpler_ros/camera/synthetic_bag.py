"""`synthetic_bag`: writes a bag of people in synthetic rooms, with ground truth."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.commands.command import INTERRUPTED, read_arguments
from smpler_model.commands.flags import add_flags, read_path, read_settings
from smpler_model.commands.words import counted
from smpler_ros.bags.bag_writer import BAG_FORMATS
from smpler_ros.camera.scene_bag import SceneBagSettings, write_scene_bag


def main(arguments: list[str] | None = None) -> int:
    """Write the bag that the command line describes; return the exit status."""
    chosen = read_arguments(build_parser(), arguments)
    images = 0
    try:
        config = read_settings(chosen, SceneBagSettings)
        total = config.frames * config.cameras
        with tqdm(total=total, unit="image", disable=chosen.quiet) as bar:

            def count(written: int) -> None:
                nonlocal images
                images += written
                bar.update(written)

            write_scene_bag(chosen.bag, Body(load_builtin_body()), config, chosen.format, count)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"synthetic_bag: {error}\n")
        return 1
    except KeyboardInterrupt:
        end = f"after {counted(images, 'image')}; {chosen.bag} ends there"
        where = end if images else "before the first image"
        sys.stderr.write(f"synthetic_bag: interrupted {where}\n")
        return INTERRUPTED
    sys.stdout.write(f"{chosen.bag}: {total} images\n")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="synthetic_bag", description=__doc__)
    parser.add_argument("bag", type=read_path, help="path of the bag, which must not exist yet")
    parser.add_argument("--format", choices=BAG_FORMATS, default="mcap", help="default: mcap")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_flags(parser, SceneBagSettings)
    return parser

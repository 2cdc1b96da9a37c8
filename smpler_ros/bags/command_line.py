"""The command line of `evaluate_bag`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from smpler_model.commands.flags import (
    add_flags,
    add_params_flag,
    at_least,
    read_path,
    read_settings,
    read_text,
)
from smpler_ros.bags.ground_truth import FileTruth
from smpler_ros.bags.settings import BagOutput, EvaluationSettings


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="evaluate_bag",
        usage="%(prog)s [options] BAG [BAG ...]",
        description="Find people in bags, without a running ROS, and compare with ground truth.",
        epilog=f"Ground truth as a .npz file. {_fields(FileTruth)}",
    )
    parser.add_argument(
        "bags",
        nargs="+",
        type=read_text,
        metavar="BAG",
        help="a bag, a folder of bags at any depth, a pattern, or @FILE with a list of these; "
        "each file in a folder without metadata.yaml is a bag, except walk_0.mcap, walk_1.mcap "
        "and so on alone in it, which are one",
    )
    parser.add_argument(
        "--output",
        type=read_path,
        metavar="FOLDER",
        help="default: NAME_evaluation in this folder; for several bags a folder of such folders",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="continue an interrupted run")
    again.add_argument("--overwrite", action="store_true", help="replace an earlier run")
    parser.add_argument("--overlay", action="store_true", help="add overlay to --outputs")
    parser.add_argument("--images", action="store_true", help="add images to --outputs")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    cluster = parser.add_argument_group("many bags")
    cluster.add_argument(
        "--ray",
        type=read_text,
        metavar="ADDRESS",
        help="one bag per task on the Ray cluster at this address, or on this machine: local",
    )
    cluster.add_argument(
        "--workers",
        type=at_least(1),
        metavar="N",
        help="bags at a time on this machine, with --ray local",
    )
    for name, usual in (("--cpus-per-bag", 1.0), ("--gpus-per-bag", 0.0)):
        cluster.add_argument(
            name, type=at_least(0.0), default=usual, metavar="X", help=f"default: {usual:g}"
        )
    add_params_flag(parser)
    add_flags(parser, EvaluationSettings)
    return parser


def read_config(chosen: argparse.Namespace) -> EvaluationSettings:
    """Return the settings from the flags.

    Raises:
        ValueError: an invalid value.
        OSError: a parameter file that cannot be read.
    """
    settings = read_settings(chosen, EvaluationSettings)
    added: list[BagOutput] = []
    if chosen.overlay:
        added.append("overlay")
    if chosen.images:
        added.append("images")
    return replace(settings, outputs=(*settings.outputs, *added))


def _fields(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("Fields:")[2].split()).join(("Fields: ", ""))

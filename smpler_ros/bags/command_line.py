"""The flags of `evaluate_bag`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from smpler_model.bags.cameras import camera_settings
from smpler_model.commands.flags import add_flag, add_flags, fill_values, read_given
from smpler_model.parameters import PARAMETERS
from smpler_model.ros_parameters import BAG_PARAMETERS, choose
from smpler_ros.bags.config import OUTPUTS, USUAL_OUTPUTS, EvaluationConfig
from smpler_ros.bags.ground_truth import FileTruth

_OUTPUT_PARAMETERS = choose(
    "tf_prefix", "overlay_mesh", "jpeg_quality", "marker_lifetime", "mesh_opacity"
)
_USUAL = ("as the topic's name says", "where a bag has them", "", "")  # of `BAG_PARAMETERS`


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="evaluate_bag",
        description="People in bags, without a running ROS, with errors where the truth is known.",
        epilog=f"A .npz of the truth. {_fields(FileTruth)}",
    )
    parser.add_argument(
        "bags",
        nargs="+",
        metavar="BAG",
        help="a bag, a folder of bags at any depth, a pattern, or @FILE with a list of these; "
        "files in a folder without metadata.yaml are a bag each, but for walk_0.mcap, "
        "walk_1.mcap and so on alone in it, which are one",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="default: NAME_evaluation in this folder; for several bags a folder of such",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on where a run ended")
    again.add_argument("--overwrite", action="store_true", help="replace an earlier run")
    _add_camera_flags(parser)
    _add_people_flags(parser)
    _add_output_flags(parser)
    cluster = parser.add_argument_group("many bags")
    cluster.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="one bag a task on the Ray cluster of this address, or of this machine: local",
    )
    cluster.add_argument(
        "--workers", type=int, metavar="N", help="bags at a time on this machine, with --ray local"
    )
    cluster.add_argument("--cpus-per-bag", type=float, default=1, metavar="X", help="default: 1")
    cluster.add_argument("--gpus-per-bag", type=float, default=0, metavar="X", help="default: 0")
    add_flags(parser)
    return parser


def read_config(chosen: argparse.Namespace) -> EvaluationConfig:
    """Return what the flags ask for.

    Raises:
        ValueError: a value that is refused.
        OSError: a parameter file that cannot be read.
    """
    added = [
        name
        for name, wanted in (
            ("overlay", chosen.overlay or chosen.video),
            ("images", chosen.images),
        )
        if wanted
    ]
    wanted = {*chosen.outputs, *added}
    given = read_given(chosen, (*PARAMETERS, *BAG_PARAMETERS, *_OUTPUT_PARAMETERS))
    outputs: dict[str, Any] = fill_values(given, _OUTPUT_PARAMETERS)
    return EvaluationConfig(
        values=fill_values(given),
        images=tuple(chosen.image_topic),
        info=chosen.info_topic,
        depth=chosen.depth_topic,
        truth=chosen.truth,
        boxes=chosen.boxes,
        min_iou=chosen.match_iou,
        outputs=tuple(name for name in OUTPUTS if name in wanted),
        cameras=camera_settings(given, chosen.depth_topic),
        compress=chosen.compress,
        video=chosen.video,
        checkpoint_s=chosen.checkpoint_every,
        hash_bag=chosen.hash_bag,
        **outputs,
    )


def _add_camera_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("cameras")
    group.add_argument(
        "--image-topic",
        nargs="+",
        default=(),
        metavar="NAME",
        help="default: all colour images of the bag",
    )
    group.add_argument(
        "--info-topic", default="", metavar="NAME", help="default: beside the images; or none"
    )
    group.add_argument(
        "--depth-topic",
        default="",
        metavar="NAME",
        help="aligned depth images; default: found by name; or none",
    )
    for parameter, usual in zip(BAG_PARAMETERS, _USUAL, strict=True):
        add_flag(group, parameter, usual)


def _add_people_flags(parser: argparse.ArgumentParser) -> None:
    usual = EvaluationConfig()
    group = parser.add_argument_group("people")
    group.add_argument(
        "--truth",
        default="",
        metavar="NAME",
        help="topics of smpler_msgs/SmplPersonArray, separated by commas, or a .npz file; "
        "default: those with `truth` in their names; or none",
    )
    group.add_argument(
        "--boxes",
        choices=("detector", "truth"),
        default=usual.boxes,
        help="where people's boxes come from. Default: detector.",
    )
    group.add_argument(
        "--match-iou",
        type=float,
        default=usual.min_iou,
        metavar="X",
        help=f"least overlap of a found and a true box. Default: {usual.min_iou}.",
    )


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    usual = EvaluationConfig()
    group = parser.add_argument_group("output")
    group.add_argument(
        "--outputs",
        nargs="*",
        choices=OUTPUTS,
        default=USUAL_OUTPUTS,
        help=f"what the bag holds besides camera_info and transforms. Default: "
        f"{' '.join(USUAL_OUTPUTS)}.",
    )
    group.add_argument("--overlay", action="store_true", help="overlay images in the bag, too")
    group.add_argument("--images", action="store_true", help="the input's images in it, too")
    group.add_argument("--video", action="store_true", help="overlays as a video file, too")
    for parameter in _OUTPUT_PARAMETERS:
        add_flag(group, parameter)
    group.add_argument(
        "--compress",
        action=argparse.BooleanOptionalAction,
        default=usual.compress,
        help="compress the bag with zstd. Default: yes.",
    )
    group.add_argument(
        "--hash-bag",
        action=argparse.BooleanOptionalAction,
        default=usual.hash_bag,
        help="put the SHA-256 of the bag's files into the summary. Default: yes.",
    )
    group.add_argument(
        "--checkpoint-every",
        type=float,
        default=usual.checkpoint_s,
        metavar="SECONDS",
        help="a run that is killed loses at most so much work; each checkpoint begins another "
        f"file of the bag. Default: {usual.checkpoint_s:g}.",
    )
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def _fields(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("Fields:")[2].split()).join(("Fields: ", ""))

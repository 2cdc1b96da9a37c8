"""`run`: people in an image, a folder, a video, a bag, or before a camera."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from smpler_model.commands.command import INTERRUPTED, Commands
from smpler_model.commands.flags import add_flag, add_flags, fill_values, read_given
from smpler_model.commands.words import counted
from smpler_model.parameters import PARAMETERS, Value
from smpler_model.ros_parameters import BAG_PARAMETERS, choose

if TYPE_CHECKING:
    from smpler_model.commands.runner import FileOutputs
    from smpler_model.frames import Frame
    from smpler_model.source import Source

_OVERLAY_MESH = replace(
    *choose("overlay_mesh"), description="Draw bodies, not only skeletons, which is quicker."
)


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "run", help="find people in an image, folder, video, bag, or before a camera"
    )
    parser.add_argument("input", help="a file, a folder of images, a bag, or a camera's number")
    parser.add_argument("--frames", type=_count, metavar="N", help="stop after so many frames")
    _add_output_flags(parser)
    calibration = parser.add_argument_group("calibration")
    calibration.add_argument(
        "--camera-info",
        type=Path,
        metavar="FILE",
        help="calibration as ROS's camera_calibration writes it; goes before a bag's",
    )
    rectified, *depth = BAG_PARAMETERS
    add_flag(calibration, rectified, "as the name of a bag's topic says, else no")
    bag = parser.add_argument_group("topics of a bag")
    bag.add_argument("--image-topic", default="", metavar="NAME", help="default: the only one")
    bag.add_argument(
        "--info-topic", default="", metavar="NAME", help="default: beside the images; or none"
    )
    bag.add_argument(
        "--depth-topic",
        default="",
        metavar="NAME",
        help="aligned depth images; default: found by name; or none",
    )
    for parameter, usual in zip(depth, ("where a bag has them", "", ""), strict=True):
        add_flag(bag, parameter, usual)
    add_flags(parser)
    parser.set_defaults(run=run)


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output", type=Path, metavar="FOLDER", help="default: NAME_smpler in this folder"
    )
    output.add_argument("--overwrite", action="store_true", help="replace an earlier run's files")
    output.add_argument("--results", choices=("jsonl", "npz"), default="jsonl")
    output.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a video, or images, of what was found. Default: yes.",
    )
    add_flag(output, _OVERLAY_MESH)
    output.add_argument("--mesh", choices=("glb", "obj"), default="", help="also write meshes")
    output.add_argument(
        "--mesh-frame",
        type=int,
        action="append",
        metavar="N",
        help="only of this frame, counted from 0; may be repeated",
    )


def run(chosen: argparse.Namespace) -> int:
    """Find people and write files.

    Returns:
        0; 1 where not a single frame has a result; 130 where Ctrl-C ended it. What was computed is
        kept.

    Raises:
        ValueError: an input, model, body or parameter that does not fit.
        OSError: a file that cannot be read or written.
        DeviceMemoryError: a network that does not fit; what was computed is kept.
    """
    given = read_given(chosen, (*PARAMETERS, *BAG_PARAMETERS, _OVERLAY_MESH))
    values = fill_values(given)
    _check_mesh_frame(chosen)
    folder = _choose_folder(chosen)
    # Said before OpenCV opens a video: its libraries would print what is reported here in words.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    # Imported here so that `--help` need not wait for PyTorch.
    from smpler_model.bags.cameras import camera_settings
    from smpler_model.cameras.calibration import read_camera_info
    from smpler_model.sources import TopicNames, open_source

    _check_input_stays(chosen.input, folder)
    camera = None
    if chosen.camera_info:
        rectified = bool(given.get("rectified", False))
        camera = read_camera_info(chosen.camera_info, rectified=rectified)
    settings = camera_settings(given, chosen.depth_topic)
    topics = TopicNames(chosen.image_topic, chosen.info_topic, chosen.depth_topic, settings)
    with (
        closing(_LeftOut()) as left_out,
        open_source(chosen.input, camera, topics=topics, report=left_out) as source,
    ):
        if chosen.frames:
            source = _shorten(source, chosen.frames)
        overlay_mesh = bool(given.get(_OVERLAY_MESH.name, _OVERLAY_MESH.default))
        config = _output_config(chosen, folder, overlay_mesh=overlay_mesh)
        return _process(source, values, config, left_out)


class _LeftOut:
    """Says what is left out at its first time, and in the end how often it came again."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, text: str) -> None:
        self._counts[text] += 1
        if self._counts[text] == 1:
            _warn(text)

    def close(self) -> None:
        for text, count in self._counts.items():
            if count > 1:
                _warn(f"{count} times in all: {text}")


def _process(
    source: "Source", values: dict[str, Value], config: "FileOutputs", left_out: _LeftOut
) -> int:
    from smpler_model.assembly import build_pipeline
    from smpler_model.commands.runner import Outputs, run_source
    from smpler_model.step_times import StepTimes

    pipeline = build_pipeline(values if source.is_sequence else _for_one_image(values))
    faces = pipeline.estimator.model.body.faces.cpu().numpy()
    times = StepTimes()
    outputs = Outputs(config, source, faces, times)
    progress = partial(tqdm, total=source.count, unit="frame", dynamic_ncols=True)
    status, people = 0, 0
    try:
        done = run_source(source, pipeline, outputs, times, progress, left_out)
        people = done.people
        if done.frames and done.failed == done.frames:
            return 1
    except KeyboardInterrupt:
        status = INTERRUPTED
        _warn(f"interrupted after {counted(times.frames, 'frame')}; what was computed is kept")
    finally:
        if times.frames:
            sys.stdout.write(f"{times.table()}\n")
            sys.stdout.write(f"{counted(times.frames, 'frame')}, results in {config.folder}\n")
    if not people and not status:
        _warn(_explain_nobody(values, source))
    return status


def _for_one_image(values: dict[str, Value]) -> dict[str, Value]:
    """Nobody can be confirmed by later images, or smoothed."""
    if values["detector"] == "motion":
        raise ValueError(
            "the detector motion needs a sequence, got one image; use --detector full_image for "
            "a person who fills it, or torchvision"
        )
    return values | {"confirm_frames": 1, "smoothing": False}


def _explain_nobody(values: dict[str, Value], source: "Source") -> str:
    if values["detector"] == "motion":
        return (
            "nobody was found: the detector motion looks for people who move before a camera that "
            "stands still, and learns the background from the first images"
        )
    hint = "" if source.is_sequence else "; if a person fills the image, use --detector full_image"
    return f"nobody was found by the detector {values['detector']}{hint}"


def _check_mesh_frame(chosen: argparse.Namespace) -> None:
    if chosen.mesh_frame and not chosen.mesh:
        raise ValueError(
            "--mesh-frame chooses among the frames of --mesh, got it alone; add --mesh glb or "
            "--mesh obj"
        )


def _choose_folder(chosen: argparse.Namespace) -> Path:
    name = (
        f"camera_{chosen.input}" if chosen.input.isdigit() else Path(chosen.input).resolve().stem
    )
    folder: Path = chosen.output or Path(f"{name}_smpler")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"the output must be a folder, got the file {folder}; choose another")
    if not chosen.overwrite and any(folder.glob("results.*")):
        raise ValueError(
            f"{folder} holds results already; choose another --output or pass --overwrite"
        )
    return folder


def _check_input_stays(given: str, folder: Path) -> None:
    """Refuse to read what the run removes first: pictures or a video of the run before."""
    from smpler_model.commands.runner import files_of_run
    from smpler_model.sources import IMAGE_SUFFIXES

    path = Path(given).resolve()
    for old in (old.resolve() for old in files_of_run(folder)):
        if old == path or (old.parent == path and old.suffix in IMAGE_SUFFIXES):
            raise ValueError(
                f"the input must not be what --overwrite replaces, got {old}; choose another "
                "--output"
            )


def _output_config(
    chosen: argparse.Namespace, folder: Path, *, overlay_mesh: bool
) -> "FileOutputs":
    from smpler_model.commands.runner import FileOutputs
    from smpler_model.drawing.overlay import RenderStyle

    style = RenderStyle(mesh=overlay_mesh) if chosen.overlay else None
    frames = frozenset(chosen.mesh_frame or ())
    return FileOutputs(folder, chosen.results, style, chosen.mesh, frames)


def _shorten(source: "Source", frames: int) -> "Source":
    count = frames if source.count is None else min(source.count, frames)
    return replace(source, frames=_first(source.frames, frames), count=count)


def _first(frames: "Iterator[Frame]", count: int) -> "Iterator[Frame]":
    for index, frame in enumerate(frames):
        yield frame
        if index + 1 == count:
            return


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _warn(text: str) -> None:
    tqdm.write(f"warning: {text}", file=sys.stderr)

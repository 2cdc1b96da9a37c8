"""`run`: finds people in an image, a folder, a video, a bag, or a camera stream."""

import argparse
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
from smpler_model.commands.flags import (
    add_flags,
    add_params_flag,
    read_path,
    read_settings,
    read_text,
)
from smpler_model.commands.result_folders import base_name
from smpler_model.commands.run_record import RunRecord
from smpler_model.commands.words import counted
from smpler_model.library_messages import silence_video_libraries
from smpler_model.native_paths import native_path
from smpler_model.settings.run import RunSettings
from smpler_model.source import camera_number

if TYPE_CHECKING:
    from smpler_model.commands.runner import FileOutputs
    from smpler_model.frames import Frame
    from smpler_model.source import Source


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "run",
        help="find people in an image, folder, video, bag or camera stream",
        usage="%(prog)s [options] input",
    )
    parser.add_argument(
        "input",
        type=read_text,
        help="a file, a folder of images (in the order of their names, 2.png before 10.png), a "
        "bag, or a camera's number",
    )
    parser.add_argument(
        "--output", type=read_path, metavar="FOLDER", help="default: NAME_smpler in this folder"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run's files")
    add_params_flag(parser)
    add_flags(parser, RunSettings)
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Find people and write files.

    Returns:
        0; 1 if no frame has a result; 130 after Ctrl-C or SIGTERM. Results so far are kept.

    Raises:
        ValueError: an invalid input, model, body or parameter.
        OSError: a file that cannot be read or written.
        DeviceMemoryError: the network does not fit into memory; results so far are kept.
    """
    return find_people(chosen.input, read_settings(chosen, RunSettings), _choose_folder(chosen))


def find_people(given: str, settings: RunSettings, folder: Path) -> int:
    """Find the people in an input and write files, like `run`.

    Args:
        given: name of the input.
        settings: settings of the run.
        folder: folder for the files.
    """
    silence_video_libraries()
    # Imported here so that `--help` does not wait for PyTorch.
    from smpler_model.cameras.calibration import read_camera_info
    from smpler_model.sources import open_source

    _check_input_stays(given, folder)
    path = settings.camera_info
    camera = partial(read_camera_info, Path(path)) if path else None
    with (
        closing(_LeftOut()) as left_out,
        open_source(
            given,
            camera,
            image_topic=settings.image_topic,
            settings=settings,
            report=left_out,
        ) as source,
    ):
        if settings.frames:
            source = _shorten(source, settings.frames)
        outputs = _file_outputs(settings, folder)
        record = RunRecord(input_name(given), image_topic=source.image_topic)
        return _process(source, settings, outputs, record, left_out)


def input_name(given: str) -> str:
    """Return the name of an input from anywhere: its absolute path, or a camera's number."""
    return given if camera_number(given) is not None else str(Path(given).resolve())


class _LeftOut:
    """Reports each reason for leaving something out once, and finally how often it occurred."""

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
    source: "Source",
    settings: RunSettings,
    config: "FileOutputs",
    record: RunRecord,
    left_out: _LeftOut,
) -> int:
    from smpler_model.assembly import build_pipeline
    from smpler_model.commands.runner import OutputFiles, run_source
    from smpler_model.step_times import StepTimes

    if settings.use_floor and not settings.floor_from_feet:
        _warn(
            "use_floor must come with the camera's pose in a fixed frame, got none, as run reads "
            "no transforms; use floor_from_feet, or evaluate_bag with --fixed-frame"
        )
    pipeline = build_pipeline(settings if source.is_sequence else _for_one_image(settings))
    faces = pipeline.estimator.model.body.faces.cpu().numpy()
    times = StepTimes()
    outputs = OutputFiles(config, source, faces, times)
    record.save(config.folder)
    progress = partial(tqdm, total=source.count, unit="frame", dynamic_ncols=True)
    status, people = 0, 0
    try:
        done = run_source(source, pipeline, outputs, times, progress, left_out)
        people = done.people
        is_shortened = settings.frames is not None and done.frames >= settings.frames
        replace(record, complete=not is_shortened).save(config.folder)
        if done.frames and done.failed == done.frames:
            return 1
    except KeyboardInterrupt:
        status = INTERRUPTED
        _warn(f"interrupted after {counted(times.frames, 'frame')}; results so far are kept")
    finally:
        if times.frames:
            sys.stdout.write(f"{times.table()}\n")
            sys.stdout.write(f"{counted(times.frames, 'frame')}, results in {config.folder}\n")
    if not people and not status:
        _warn(_explain_nobody(settings, source))
    return status


def _for_one_image(settings: RunSettings) -> RunSettings:
    """Return settings for single images: no confirmation by later images, no smoothing."""
    if settings.detector == "motion":
        raise ValueError(
            "the detector motion needs a sequence, got one image; use --detector full_image for "
            "a person who fills it, or person"
        )
    return replace(settings, confirm_frames=1, smoothing=False)


def _explain_nobody(settings: RunSettings, source: "Source") -> str:
    if settings.detector == "motion":
        return (
            "no people were found: the detector motion finds people who move in front of a "
            "static camera, and learns the background from the first images"
        )
    hint = "" if source.is_sequence else "; if a person fills the image, use --detector full_image"
    return f"the detector {settings.detector} found no people{hint}"


def _choose_folder(chosen: argparse.Namespace) -> Path:
    is_camera = camera_number(chosen.input) is not None
    name = f"camera_{chosen.input}" if is_camera else base_name(Path(chosen.input))
    folder: Path = chosen.output or Path(f"{name}_smpler")
    native_path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"the output must be a folder, got the file {folder}; name another with --output"
        )
    if not chosen.overwrite and any(folder.glob("results.*")):
        raise ValueError(
            f"{folder} already holds results; choose another --output or pass --overwrite"
        )
    return folder


def _check_input_stays(given: str, folder: Path) -> None:
    """Refuse an input that the run would replace, such as a video named overlay.mp4.

    The run's files must not be among those of a bag either.
    """
    from smpler_model.bags.reader import is_bag
    from smpler_model.commands.runner import files_in_the_way
    from smpler_model.sources import IMAGE_SUFFIXES

    path, output = Path(given).resolve(), folder.resolve()
    if path in (output, *output.parents) and is_bag(path):
        raise ValueError(
            f"the output must not be in the bag's folder, got {folder} for {given}; choose "
            "another --output"
        )
    for old in (old.resolve() for old in files_in_the_way(folder)):
        if old == path or (old.parent == path and old.suffix in IMAGE_SUFFIXES):
            raise ValueError(
                f"the input must not be a file that the run replaces, got {old}; choose another "
                "--output"
            )


def _file_outputs(settings: RunSettings, folder: Path) -> "FileOutputs":
    from smpler_model.commands.runner import FileOutputs
    from smpler_model.drawing.overlay import RenderStyle

    style = RenderStyle(mesh=settings.overlay_mesh) if settings.overlay else None
    frames = frozenset(settings.mesh_frame)
    return FileOutputs(folder, settings.results, style, settings.mesh or "", frames)


def _shorten(source: "Source", frames: int) -> "Source":
    count = frames if source.count is None else min(source.count, frames)
    return replace(source, frames=_first(source.frames, frames), count=count)


def _first(frames: "Iterator[Frame]", count: int) -> "Iterator[Frame]":
    for index, frame in enumerate(frames):
        yield frame
        if index + 1 == count:
            return


def _warn(text: str) -> None:
    tqdm.write(f"warning: {text}", file=sys.stderr)

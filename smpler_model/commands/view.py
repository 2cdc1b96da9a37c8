"""`view`: shows the people of a recording in a browser."""

import argparse
import sys
import webbrowser
from pathlib import Path

from tqdm import tqdm

from smpler_model.commands.command import Commands
from smpler_model.commands.flags import add_flags, add_params_flag, read_settings, read_text
from smpler_model.commands.result_folders import base_name
from smpler_model.commands.run import find_people, input_name
from smpler_model.commands.run_record import RunRecord, read_run_record
from smpler_model.commands.words import counted
from smpler_model.settings.view import ViewSettings
from smpler_model.source import SourceError, camera_number

_OTHER_BODY_M = 0.01  # joints farther apart belong to another body


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "view",
        help="show people in a browser: a run's results, a bag with people, or a video",
        usage="%(prog)s [options] input",
        description="Show people in a browser. If the input is neither results nor a bag with "
        "people, they are estimated first, as by `smpler run`, and stored in NAME_smpler; results "
        "that are there already are shown.",
    )
    parser.add_argument(
        "input", type=read_text, help="results of run or evaluate_bag, a bag, a video, images"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="estimate people again, with these settings"
    )
    add_params_flag(parser)
    add_flags(parser, ViewSettings)
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Returns:
        0, or the status of the run if people had to be estimated and could not.

    Raises:
        ValueError: an input, port or parameter that does not fit.
        OSError: a file that cannot be read.
    """
    settings = read_settings(chosen, ViewSettings)
    # Imported here so that `--help` need not wait for PyTorch.
    from smpler_model.assembly import load_named_body
    from smpler_model.commands.recordings import holds_people, open_recording
    from smpler_model.viewing.page import open_page
    from smpler_model.viewing.player import RecordingPlayer
    from smpler_model.viewing.scene import Scene
    from smpler_model.viewing.surfaces import SkinnedSurface

    path, images, topic = _check_input(chosen.input), settings.images, settings.image_topic
    with open_page("smpler_ros", settings.host, settings.port) as page:
        if not holds_people(path):
            folder = Path(f"{base_name(path)}_smpler")
            if chosen.overwrite or not any(folder.glob("results.*")):
                status = find_people(chosen.input, settings, folder)
                if status:
                    return status
            else:
                record = read_run_record(folder)
                own_topic = "" if images else topic  # otherwise it is one of the images' bag
                shown = _describe_results(folder, record, chosen.input, own_topic)
                sys.stdout.write(f"{shown}\n")
                if record is not None and not images:
                    topic = topic or record.image_topic
            path, images = folder, images or chosen.input
        with tqdm(unit="image", desc="reading", dynamic_ncols=True) as bar:
            recording = open_recording(path, images, topic, bar.update)
        _check_frame(settings.frame, len(recording))
        surface = SkinnedSurface(load_named_body(settings))
        if (error_m := surface.joint_error_m(recording.people)) > _OTHER_BODY_M:
            sys.stderr.write(
                f"warning: the people's joints are up to {100 * error_m:.0f} cm from those of the "
                "body drawn here; they were estimated with another one; give it with --model or "
                "--body\n"
            )
        scene = Scene(page.server, surface)
        page.server.gui.set_panel_label(recording.title)
        player = RecordingPlayer(page, recording, scene, settings.frame)
        sys.stdout.write(f"{counted(len(recording), 'image')} at {page.place} (Ctrl-C ends)\n")
        sys.stdout.flush()
        if settings.open and not webbrowser.open(page.address):
            sys.stderr.write(f"warning: found no browser to open; open {page.address} yourself\n")
        try:
            player.run()
        except KeyboardInterrupt:
            return 0
    return 0


def _describe_results(folder: Path, record: RunRecord | None, given: str, topic: str) -> str:
    """Return a sentence about the results of an earlier run that are shown for an input.

    Args:
        folder: folder of the run.
        record: record of the run, if it has one.
        given: name of the input.
        topic: its image topic; empty if none was named.

    Raises:
        SourceError: they are those of another input, or of another image topic.
    """
    wanted = input_name(given)
    if record is None:
        what = "earlier results of an input that is not known"
    elif record.input != wanted:
        raise _other_results(folder, wanted, record.input)
    elif topic and record.image_topic not in ("", topic):
        raise _other_results(folder, f"{topic} in {wanted}", record.image_topic)
    elif record.complete:
        what = f"earlier results of {wanted}"
    else:
        what = f"results of a run that ended before {wanted} did"
    return f"shows {folder}: {what}; --overwrite estimates people again, with these settings"


def _other_results(folder: Path, wanted: str, got: str) -> SourceError:
    return SourceError(
        f"{folder} must hold the results of {wanted}, got those of {got}; estimate people again "
        f"with --overwrite, or look at these with `smpler view {folder}`"
    )


def _check_frame(frame: int | None, count: int) -> None:
    """Refuse a frame that the recording does not have."""
    if frame is not None and frame >= count:
        raise ValueError(
            f"frame must be one of 0 to {count - 1}, as the recording has "
            f"{counted(count, 'image')}, got {frame}; give a smaller --frame"
        )


def _check_input(given: str) -> Path:
    """Return the path of a recording.

    Raises:
        SourceError: there is none.
    """
    if camera_number(given) is not None:
        raise SourceError(
            f"view shows recordings, got camera {given}; record it with `smpler run {given}`, "
            f"or watch it live with `make demo INPUT={given} VIEW=1`"
        )
    if not Path(given).exists():
        raise SourceError(
            f"the recording must be a file or a folder, got {given}; give the path of an existing "
            "bag, video or folder of results"
        )
    return Path(given)

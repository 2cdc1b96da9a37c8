"""`info`: describes a SMPLer model."""

import argparse
import sys

from smpler_model.commands.command import Commands
from smpler_model.commands.flags import read_path, read_text

MODEL = "smpler_nano, or path of a checkpoint, official or native"


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    info = commands.add_parser("info", help="describe a SMPLer model")
    info.add_argument("model", type=read_text, help=MODEL)
    info.add_argument(
        "--body",
        type=read_path,
        help="a SMPL file or a folder of them; used if the checkpoint has no body",
    )
    info.add_argument("--gender", choices=("neutral", "male", "female"), default="neutral")
    info.add_argument("--keys", action="store_true", help="list every key as well")
    info.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print a description of the model's file.

    Raises:
        ValueError: a file that does not fit.
        OSError: a file that cannot be read.
    """
    # Imported here so that `--help` does not wait for PyTorch.
    from smpler_model.body.builtin import load_builtin_body
    from smpler_model.body.smpl_file import load_chosen_body
    from smpler_model.checkpoints.info import describe_checkpoint, list_keys
    from smpler_model.checkpoints.shipped import find_checkpoint

    body = load_chosen_body(chosen.body, chosen.gender) or load_builtin_body()
    checkpoint = find_checkpoint(chosen.model)
    sys.stdout.write(describe_checkpoint(checkpoint, body) + "\n")
    if chosen.keys:
        sys.stdout.write(list_keys(checkpoint) + "\n")
    return 0

"""`info`: describes a SMPLer checkpoint."""

import argparse
import sys

from smpler_model.commands.command import Commands
from smpler_model.commands.flags import read_path


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    info = commands.add_parser("info", help="describe a SMPLer checkpoint")
    info.add_argument("checkpoint", type=read_path, help="a .pt file, official or native")
    info.add_argument(
        "--body",
        type=read_path,
        help="a SMPL file or a folder of them; used if the checkpoint has no body",
    )
    info.add_argument("--gender", choices=("neutral", "male", "female"), default="neutral")
    info.add_argument("--keys", action="store_true", help="list every key as well")
    info.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print a description of the file.

    Raises:
        ValueError: a file that does not fit.
        OSError: a file that cannot be read.
    """
    # Imported here so that `--help` does not wait for PyTorch.
    from smpler_model.body.builtin import load_builtin_body
    from smpler_model.body.smpl_file import load_chosen_body
    from smpler_model.checkpoints.info import describe_checkpoint, list_keys

    body = load_chosen_body(chosen.body, chosen.gender) or load_builtin_body()
    sys.stdout.write(describe_checkpoint(chosen.checkpoint, body) + "\n")
    if chosen.keys:
        sys.stdout.write(list_keys(chosen.checkpoint) + "\n")
    return 0

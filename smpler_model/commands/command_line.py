"""The command line: `smpler COMMAND`, or `python -m smpler_model COMMAND`."""

import argparse
import logging
import sys
from collections.abc import Sequence

from smpler_model.commands import doctor, export, info, run, view
from smpler_model.commands.command import INTERRUPTED, read_arguments
from smpler_model.inference.device_memory import DeviceMemoryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: command-line arguments; those of the process if None.

    Returns:
        0, or 1 after an error, which is one sentence on standard error, or 130 after Ctrl-C.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    chosen = read_arguments(build_parser(), arguments)
    try:
        return int(chosen.run(chosen))
    except (ValueError, OSError, DeviceMemoryError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="smpler", description="SMPL bodies from images, videos and bags."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (info, run, view, export, doctor):
        command.add_parser(commands)
    return parser

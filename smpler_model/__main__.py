"""The command line: `python -m smpler_model COMMAND`."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line; the process's own if None.

    Returns:
        0, or 1 after an error, which is one sentence on the standard error stream.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    chosen = _build_parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m smpler_model", description="SMPL bodies from single images."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_info(commands)
    return parser


def _add_info(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    info = commands.add_parser("info", help="say what a SMPLer checkpoint is")
    info.add_argument("checkpoint", type=Path, help="a .pt file, official or of ours")
    info.add_argument(
        "--body",
        type=Path,
        help="a SMPL file or a folder of them; used where the checkpoint has no body",
    )
    info.add_argument("--gender", choices=("neutral", "male", "female"), default="neutral")
    info.add_argument("--keys", action="store_true", help="list every key as well")
    info.set_defaults(run=_run_info)


def _run_info(chosen: argparse.Namespace) -> None:
    from smpler_model.builtin_body import load_builtin_body
    from smpler_model.info import describe_checkpoint, list_keys
    from smpler_model.smpl_file import load_smpl_file

    if chosen.body:
        body = load_smpl_file(chosen.body, gender=chosen.gender)
    else:
        body = load_builtin_body()
    print(describe_checkpoint(chosen.checkpoint, body))
    if chosen.keys:
        print(list_keys(chosen.checkpoint))


if __name__ == "__main__":
    sys.exit(main())

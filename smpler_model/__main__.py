"""The command line: `smpler COMMAND`, or `python -m smpler_model COMMAND`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run the command line as a process; return the exit status."""
    return run_program(_load)


def _load() -> Program:
    from smpler_model.commands.command_line import main

    return main


if __name__ == "__main__":
    sys.exit(main())

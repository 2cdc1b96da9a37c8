"""Parts shared by all commands."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse._SubParsersAction
"""argparse's subcommands."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""


def read_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Parse a command line; if it is invalid, exit with one sentence.

    Args:
        parser: command-line parser.
        arguments: command-line arguments; those of the process if None.
    """
    given = sys.argv[1:] if arguments is None else arguments
    for text in given:
        try:
            text.encode()
        except UnicodeEncodeError:
            # OpenCV would crash with such a path, and no report could name it.
            parser.error(f"arguments must be UTF-8, got {os.fsencode(text)!r}; rename the file")
    return parser.parse_args(given)

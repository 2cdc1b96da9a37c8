"""What a command is added to."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse._SubParsersAction
"""The commands of a command line, as argparse has them."""

INTERRUPTED = 130
"""Exit status of what Ctrl-C ended, as shells have it."""

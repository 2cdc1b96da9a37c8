"""Packages that only some options need."""

import importlib
import importlib.util
from typing import Any


def is_installed(name: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def import_optional(name: str, purpose: str) -> Any:  # noqa: ANN401 - a module without types
    """Import and return a module.

    Args:
        name: name of the package.
        purpose: what needs it, for the error.

    Raises:
        ValueError: it is not installed.
    """
    if not is_installed(name):
        raise ValueError(
            f"{purpose} needs the package {name}, which is not installed; "
            f"`pip install {name}` adds it"
        )
    return importlib.import_module(name)

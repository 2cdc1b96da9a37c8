"""Packages that only some options need."""

import importlib
import importlib.util
import logging
from typing import Any

logger = logging.getLogger(__name__)


def is_installed(name: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def is_usable(name: str) -> bool:
    """Import a package and return whether that works; warn of one that is installed but broken."""
    if not is_installed(name):
        return False
    try:
        importlib.import_module(name)
    except Exception as error:  # compiled packages raise errors of all kinds
        logger.warning("%s is not used: %s", name, _explain(name, error))
        return False
    return True


def import_optional(name: str, purpose: str) -> Any:  # noqa: ANN401 - a module without types
    """Import and return a module.

    Args:
        name: name of the package.
        purpose: what needs it, for the error.

    Raises:
        ValueError: it is not installed, or cannot be imported.
    """
    if not is_installed(name):
        raise ValueError(
            f"{purpose} needs the package {name}, which is not installed; "
            f"`pip install {name}` adds it"
        )
    try:
        return importlib.import_module(name)
    except Exception as error:  # compiled packages raise errors of all kinds
        raise ValueError(f"{purpose} needs the package {name}: {_explain(name, error)}") from error


def _explain(name: str, error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    return (
        f"it is installed, but cannot be imported ({type(error).__name__}: {reason}); reinstall "
        f"it with `pip install --force-reinstall {name}`, or uninstall it"
    )

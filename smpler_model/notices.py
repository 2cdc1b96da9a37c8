"""How sentences for the user leave modules that neither print nor log."""

from collections.abc import Callable

Notify = Callable[[str], None]
"""Called with a sentence: a warning, an error, or what was left out."""

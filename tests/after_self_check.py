"""Faults that begin when the network's self-check is done, as those of frames do."""

from collections.abc import Callable
from typing import Any

import pytest

from smpler_model import assembly
from smpler_model.inference.self_check import Checked


def break_after_self_check(patch: pytest.MonkeyPatch, break_it: Callable[[], None]) -> None:
    """Call a function as soon as a pipeline's network has passed its self-check."""
    build = assembly.build_checked

    def build_then_break(*given: Any, **named: Any) -> Checked:  # noqa: ANN401
        checked = build(*given, **named)
        break_it()
        return checked

    patch.setattr(assembly, "build_checked", build_then_break)

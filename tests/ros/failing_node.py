"""The node with a pipeline that fails for black images, at each step in turn.

`python -m` starts it. The image's timestamp selects the step, in `boxed_camera`'s periods.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from smpler_model.frames import Frame
from smpler_model.shared_image import SharedImage
from smpler_ros.node.smpler_node import main
from tests.pipeline_steps import STEPS as METHODS
from tests.ros.boxed_camera import PERIOD_NS

STEPS = tuple(METHODS)


class Failures:
    """Makes one step after the other fail. State: the current frame."""

    def __init__(self) -> None:
        self._turn, self._black = "", False

    def break_all(self) -> None:
        """Wrap every step."""
        for step, (owner, name) in METHODS.items():
            setattr(owner, name, self._wrap(step, getattr(owner, name)))

    def _wrap(self, step: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(owner: object, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any step's
            self._look_at((owner, *arguments))
            if self._black and step == self._turn:
                raise RuntimeError(f"{step} is out of order")
            return method(owner, *arguments, **options)

        return wrapped

    def _look_at(self, arguments: tuple[object, ...]) -> None:
        for argument in arguments:
            value = argument.frame if isinstance(argument, SharedImage) else argument
            if isinstance(value, Frame):
                self._turn = STEPS[value.stamp_ns // PERIOD_NS % len(STEPS)]
                self._black = not value.rgb.any()
            elif isinstance(value, np.ndarray) and value.ndim == 4:  # crops of several cameras
                self._black = bool((value == 0).all((1, 2, 3)).any())


if __name__ == "__main__":
    Failures().break_all()
    main()

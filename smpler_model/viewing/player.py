"""Plays a recording on a page, with controls for timeline, playback and speed."""

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from smpler_model.viewing.choices import add_choices
from smpler_model.viewing.page import Page
from smpler_model.viewing.recording import Playable
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.trails import TRAIL_S, Trails
from smpler_model.viewing.viewpoint_buttons import add_viewpoint_buttons

if TYPE_CHECKING:
    import viser

_SPEEDS = {"1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0, "4": 4.0}
_LEAST_STEP_S = 1 / 30  # between two images
_IDLE_S = 1.0


class RecordingPlayer:
    """Plays a recording while a browser shows it.

    State: the frame that is shown, and whether it plays. `run` plays in the calling thread; the
    page's widgets change the state from other threads.
    """

    def __init__(self, page: Page, recording: Playable, scene: Scene, frame: int | None) -> None:
        """Add the widgets to the page.

        Args:
            page: the page.
            recording: what to play.
            scene: where to show it.
            frame: number of the frame to pause at, one of the recording's; None to play from the
                first.
        """
        self._page, self._recording, self._scene = page, recording, scene
        self._changed = threading.Condition()
        last = len(recording) - 1
        start = frame or 0
        self._index, self._shown = start, -1
        self._is_over = False
        self._trails = Trails()
        gui = page.server.gui
        self._play = gui.add_checkbox("play", initial_value=frame is None)
        self._speed = gui.add_dropdown("speed", tuple(_SPEEDS), initial_value="1")
        highest = max(last, 1)
        self._timeline = gui.add_slider("frame", min=0, max=highest, step=1, initial_value=start)
        self._time = gui.add_markdown("")
        self._steps = gui.add_button_group("step", ("back", "on"))
        add_viewpoint_buttons(page.server, scene, recording.cameras)
        add_choices(page.server, scene.choices, scene.refresh)
        self._play.on_update(lambda _: self._wake())
        self._speed.on_update(lambda _: self._wake())
        self._timeline.on_update(self._slide)
        self._steps.on_click(lambda _: self._step())

    @property
    def index(self) -> int:
        """Number of the next frame to show."""
        return self._index

    def seek(self, index: int) -> None:
        """Go to a frame."""
        with self._changed:
            self._index = min(max(index, 0), len(self._recording) - 1)
            self._shown = -1
            self._changed.notify_all()

    def stop(self) -> None:
        """End `run`."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def run(self) -> None:
        """Show frames at the times of their stamps until `stop`; idle while no browser is open."""
        due_s = time.monotonic()
        while not self._is_over:
            if not self._page.wait_for_watchers(_IDLE_S):
                due_s = time.monotonic()
                continue
            index = self._index
            if index != self._shown:
                self._show(index)
            with self._changed:
                if not self._play.value:
                    if self._shown == self._index:
                        self._changed.wait(_IDLE_S)
                    due_s = time.monotonic()
                    continue
                following = self._following(index)
                due_s = max(due_s + self._step_s(index, following), time.monotonic() - _IDLE_S)
                self._changed.wait(max(due_s - time.monotonic(), 0.0))
                if self._index == index and self._play.value:
                    self._index = following

    def _slide(self, event: "viser.GuiEvent[viser.GuiSliderHandle[int]]") -> None:
        if event.client is not None:  # moved by a user, not by the player
            self.seek(int(self._timeline.value))

    def _step(self) -> None:
        _set(self._play, False)
        self.seek(self._index + (1 if self._steps.value == "on" else -1))

    def _following(self, index: int) -> int:
        """Return the next frame to show; the first follows the last."""
        step = max(round(_LEAST_STEP_S / max(self._usual_step_s(), 1e-3)), 1)
        return index + step if index + step < len(self._recording) else 0

    def _usual_step_s(self) -> float:
        stamps = self._recording.stamps_ns
        usual = float(np.median(np.diff(stamps))) / 1e9 if len(stamps) > 1 else 1.0
        return usual / _SPEEDS[self._speed.value]

    def _step_s(self, index: int, following: int) -> float:
        stamps = self._recording.stamps_ns
        step_s = float(stamps[following] - stamps[index]) / 1e9 / _SPEEDS[self._speed.value]
        return min(max(step_s, 0.0), _IDLE_S) if following > index else _IDLE_S

    def _show(self, index: int) -> None:
        moment = self._recording.moment(index)
        follows = 0 <= self._shown < index
        trails = self._trails.add(moment) if follows else self._trails_to(index)
        self._scene.show(moment, trails, exact=not self._play.value)
        self._shown = index
        _set(self._timeline, index)
        start_ns = self._recording.stamps_ns[0]
        seconds = (moment.stamp_ns - start_ns) / 1e9
        total = (self._recording.stamps_ns[-1] - start_ns) / 1e9
        self._time.content = f"{seconds:.2f} s of {total:.2f} s"

    def _trails_to(self, index: int) -> dict[int, list["np.ndarray"]]:
        """Return the trails after a jump to a frame."""
        self._trails = Trails()
        stamps = self._recording.stamps_ns
        first = int(np.searchsorted(stamps[:index], stamps[index] - round(TRAIL_S * 1e9)))
        trails: dict[int, list[np.ndarray]] = {}
        for each in range(first, index + 1):
            trails = self._trails.add(self._recording.moment(each, image=False))
        return trails

    def _wake(self) -> None:
        with self._changed:
            self._shown = self._shown if self._play.value else -1
            self._changed.notify_all()


def _set(widget: Any, value: object) -> None:  # noqa: ANN401 - viser types values as read-only
    """Set the value of a widget in all browsers."""
    widget.value = value

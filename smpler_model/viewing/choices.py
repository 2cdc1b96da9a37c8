"""Checkboxes that show or hide parts of a scene."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import viser


@dataclass
class Choices:
    """Which parts of a scene are shown."""

    bodies: bool = True
    skeletons: bool = False
    labels: bool = True
    trails: bool = True
    uncertainty: bool = False
    truth: bool = True
    camera: bool = True
    floor: bool = True


_HINTS = {
    "bodies": "SMPL's surface, in each person's colour",
    "skeletons": "the 24 joints",
    "labels": "id and distance from the camera; ~ if the camera is not calibrated",
    "trails": "path over the floor during the last 5 seconds",
    "uncertainty": "95 % confidence ellipsoid of the pelvis",
    "truth": "ground truth, white, if the recording contains it",
    "camera": "frustum and image of each camera",
    "floor": "grid of half a metre",
}


def add_choices(
    server: "viser.ViserServer", choices: Choices, changed: Callable[[], None]
) -> None:
    """Add a panel with a checkbox for each part to the page.

    On a phone it is closed at first, and leaves the page to the people.

    Args:
        server: server of the page.
        choices: updated by the checkboxes.
        changed: called after each change.
    """
    panel = server.gui.add_panel()
    panel.dock_below(server.gui.main_panel)
    with panel.add_tab("show"):
        for field in fields(choices):
            _add_box(server, choices, field.name, changed)


def _add_box(
    server: "viser.ViserServer", choices: Choices, name: str, changed: Callable[[], None]
) -> None:
    box = server.gui.add_checkbox(name, getattr(choices, name), hint=_HINTS[name])

    def choose(_: object) -> None:
        setattr(choices, name, box.value)
        changed()

    box.on_update(choose)

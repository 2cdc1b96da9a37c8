"""Buttons that move a client's viewpoint."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smpler_model.viewing.scene import Scene

if TYPE_CHECKING:
    import viser

_CAMERA, _BEHIND = "the camera", "behind it"  # short: a row on a phone holds both
_OVERVIEW = "above"


def add_viewpoint_buttons(
    server: "viser.ViserServer", scene: Scene, cameras: Sequence[str] = ()
) -> None:
    """Add buttons to a page that show the scene through a camera, or from behind or above it.

    Args:
        server: server of the page.
        scene: the scene.
        cameras: names of the cameras of people of several; none for a moment's own.
    """
    behind = _OVERVIEW if cameras else _BEHIND
    buttons = server.gui.add_button_group("look from", (*(cameras or (_CAMERA,)), behind))

    def turn(event: "viser.GuiEvent[viser.GuiButtonGroupHandle]") -> None:
        if event.client is None:
            return
        if buttons.value == behind:
            scene.step_back(event.client)
        else:
            scene.look_through(event.client, buttons.value if cameras else "")

    buttons.on_click(turn)

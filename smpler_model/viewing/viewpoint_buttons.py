"""Buttons that move a client's viewpoint."""

from typing import TYPE_CHECKING

from smpler_model.viewing.scene import Scene

if TYPE_CHECKING:
    import viser

_CAMERA, _BEHIND = "the camera", "behind it"  # short: a row on a phone holds both


def add_viewpoint_buttons(server: "viser.ViserServer", scene: Scene) -> None:
    """Add buttons to a page that show the scene through the camera, or from behind it."""
    buttons = server.gui.add_button_group("look from", (_CAMERA, _BEHIND))

    def turn(event: "viser.GuiEvent[viser.GuiButtonGroupHandle]") -> None:
        if event.client is None:
            return
        (scene.look_through if buttons.value == _CAMERA else scene.step_back)(event.client)

    buttons.on_click(turn)

"""Removes skinned meshes from a page."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import viser

PLACEHOLDER_S = 30.0
"""Time that an empty frame stays in a mesh's place: longer than a slow page takes to draw it."""


class MeshRemoval:
    """Takes skinned meshes off a page in two steps.

    Where a skinned mesh is removed, viser 1.1's page asks for its place in the scene, gone by
    then, and ends with an error and a white window. So an empty frame of the same name replaces
    the mesh, and is removed later.

    State: the frames by name, with the time since which they are there.
    """

    def __init__(self, scene: "viser.SceneApi") -> None:
        self._scene = scene
        self._frames: dict[str, tuple[float, viser.FrameHandle]] = {}

    def remove(self, mesh: "viser.MeshSkinnedHandle") -> None:
        """Take a mesh off the page."""
        frame = self._scene.add_frame(mesh.name, show_axes=False)
        self._frames[mesh.name] = time.monotonic(), frame

    def reuse(self, name: str) -> None:
        """Leave a name to a new mesh, which replaces the frame."""
        self._frames.pop(name, None)

    def sweep(self) -> None:
        """Remove the frames that have been there for long enough."""
        now_s = time.monotonic()
        for name, (since_s, frame) in list(self._frames.items()):
            if now_s - since_s >= PLACEHOLDER_S:
                frame.remove()
                del self._frames[name]

"""A camera's frustum and image in the scene of a page."""

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera

if TYPE_CHECKING:
    import viser

IMAGE_WIDTH_PX = 480
"""Largest width of images on a page; wider ones are downscaled."""

CAMERA = "/camera"
"""Path of the camera's optical frame in the scene."""

_WIDEST_RAD = math.radians(150)
_USUAL_DEPTH_M = 0.5
_COLOUR = (110, 114, 124)
_EDGE_PX = 1.5


class CameraView:
    """A camera at its pose, with its image.

    State: the last camera, and the depth at which its image is shown.
    """

    def __init__(self, scene: "viser.SceneApi", name: str = CAMERA) -> None:
        """Prepare.

        Args:
            scene: scene of the page.
            name: path of the camera's optical frame in it.
        """
        self._scene, self._name = scene, name
        self._frame = scene.add_frame(name, show_axes=False)
        self._frustum: viser.CameraFrustumHandle | None = None
        self._camera: Camera | None = None
        self._world_from_camera: Floats = np.eye(4)
        self.depth_m = _USUAL_DEPTH_M

    def show(
        self,
        camera: Camera | None,
        world_from_camera: Floats,
        rgb: NDArray[np.uint8] | None,
        *,
        shown: bool,
    ) -> None:
        """Move the camera to its pose, and show its image.

        Args:
            camera: the camera; None for a frame that is none.
            world_from_camera: (4, 4), metres.
            rgb: (h, w, 3) image, if any.
            shown: whether the frustum is drawn.
        """
        self._world_from_camera = world_from_camera
        self._frame.wxyz, self._frame.position = _pose(world_from_camera)
        if camera != self._camera:
            self._camera = camera
            if self._frustum is not None:
                self._frustum.remove()
            self._frustum = None if camera is None else self._add_frustum(camera)
        if camera is None or self._frustum is None:
            return
        self._frustum.visible = shown
        self._frustum.scale = _scale_of(camera, self.depth_m)
        if shown:
            self._frustum.image = None if rgb is None else shrink(rgb)

    def hide(self) -> None:
        """Hide the frustum until the next `show`."""
        if self._frustum is not None:
            self._frustum.visible = False

    def look_through(self, client: "viser.ClientHandle", depth_m: float) -> None:
        """Move a client's viewpoint to the camera, with the image behind the people.

        Args:
            client: a browser that shows the page.
            depth_m: depth at which the image is shown.
        """
        if self._camera is None:
            return
        self.depth_m = depth_m
        view = client.camera
        # The window may have another aspect ratio than the image; show the whole image.
        wider = max(self._camera.width / self._camera.height / view.aspect, 1.0)
        vertical = math.tan(vertical_field_of_view(self._camera) / 2) * wider
        with client.atomic():
            wxyz, position = _pose(self._world_from_camera)
            view.wxyz, view.position = wxyz, position
            view.fov = 2 * math.atan(vertical)

    def step_back(self) -> None:
        """Show the image near the camera again, in front of the people."""
        self.depth_m = _USUAL_DEPTH_M

    def _add_frustum(self, camera: Camera) -> "viser.CameraFrustumHandle":
        return self._scene.add_camera_frustum(
            f"{self._name}/view",
            vertical_field_of_view(camera),
            camera.width / camera.height,
            color=_COLOUR,
            # In pixels: the edges meet in the eye that looks through the camera, where a width in
            # metres would cover all of its view.
            thickness=_EDGE_PX,
            thickness_units="screen",
            cast_shadow=False,
            receive_shadow=False,
        )


def vertical_field_of_view(camera: Camera) -> float:
    """Return the vertical field of view of the rectified image, radians.

    It is limited: a flat image cannot show the whole field of view of a fisheye lens.
    """
    return min(2 * math.atan(camera.height / (2 * camera.fy)), _WIDEST_RAD)


def shrink(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Downscale an image to at most `IMAGE_WIDTH_PX` wide."""
    height, width = rgb.shape[:2]
    if width <= IMAGE_WIDTH_PX:
        return rgb
    size = (IMAGE_WIDTH_PX, max(round(height * IMAGE_WIDTH_PX / width), 1))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scale_of(camera: Camera, depth_m: float) -> float:
    """Return the scale at which viser's frustum has its image at a given depth.

    viser normalises the frustum of depth 1 by the cube root of xy / 3, where x and y are half the
    sides of its image, and multiplies it by the scale.
    """
    y = math.tan(vertical_field_of_view(camera) / 2)
    x = y * camera.width / camera.height
    return float(depth_m * (x * y / 3) ** (1 / 3))


def _pose(world_from_frame: Floats) -> tuple[Floats, Floats]:
    """Return a (4, 4) transform as a quaternion w, x, y, z and a position."""
    turn = Rotation.from_matrix(world_from_frame[:3, :3]).as_quat()
    return np.roll(turn, 1), world_from_frame[:3, 3]

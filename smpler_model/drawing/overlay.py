"""Draws results over their image: meshes, skeletons, boxes and labels.

It needs no window, GPU or display: OpenCV draws lines and text, `raster` draws meshes. Everything
is distorted by the camera's lens, so that it fits the original image.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, RgbImage
from smpler_model.body.normals import vertex_normals
from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.cameras.camera import Camera
from smpler_model.drawing.palette import Colour, colours_of
from smpler_model.drawing.raster import rasterise
from smpler_model.drawing.shading import blend, merge_people, shade
from smpler_model.frames import FrameResult, People, TrackState, TranslationSource

_BONES = np.array([(parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0])
_SUBPIXEL_BITS = 4
_FARTHEST_PX = 2**14  # beyond it OpenCV's fixed-point coordinates overflow
_USUAL_HEIGHT = 480
_WIDEST_RAD = math.radians(89)  # off the axis, within which points are drawn through the lens
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FIRM = 0.5  # confidence below which joints are drawn faintly
_DARK, _LIGHT = (20, 20, 20), (250, 250, 250)


@dataclass(frozen=True)
class RenderStyle:
    """What to draw.

    Attributes:
        mesh: bodies, if the result has vertices.
        skeleton: lines between the joints.
        boxes: the tracks' bounding boxes.
        labels: id and distance.
        opacity: opacity of the bodies; 0 shows only the image, 1 hides it.
    """

    mesh: bool = True
    skeleton: bool = True
    boxes: bool = True
    labels: bool = True
    opacity: float = 0.75

    @property
    def needs_mesh(self) -> bool:
        """Whether the pipeline has to compute vertices."""
        return self.mesh and self.opacity > 0


def draw_result(
    rgb: RgbImage, result: FrameResult, faces: ArrayLike, style: RenderStyle | None = None
) -> RgbImage:
    """Draw the people of a result over their image.

    Args:
        rgb: (h, w, 3) uint8 image of the frame; not modified.
        result: result of the frame.
        faces: (f, 3) of the body.
        style: what to draw; everything if None.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    style, people = style or RenderStyle(), result.people
    canvas = rgb
    if style.needs_mesh and people.vertices_m is not None and len(people):
        canvas = _draw_meshes(rgb, result, people.vertices_m, faces, style.opacity)
    canvas = canvas.copy() if canvas is rgb else canvas
    weight = max(rgb.shape[0] / _USUAL_HEIGHT, 0.5)
    for row in range(len(people)):
        colour = colour_of(int(people.ids[row]))
        if style.skeleton:
            sure = _are_sure(people, row)
            _draw_skeleton(canvas, people.keypoints_px[row], sure, colour, weight)
        if style.boxes:
            seen = people.states[row] != TrackState.COASTING
            _draw_box(canvas, people.boxes_xyxy[row], colour, weight * (2 if seen else 1))
        if style.labels:
            _draw_label(canvas, people.boxes_xyxy[row], label_of(people, row), colour, weight)
    return canvas


def colour_of(track_id: int) -> Colour:
    """Return a person's RGB colour, 0 to 255, the same in all images and markers."""
    red, green, blue = colours_of([track_id])[0].tolist()
    return red, green, blue


def label_of(people: People, row: int, *, distance: bool = True) -> str:
    """Return a person's id and the pelvis's distance, with `~` for an assumed camera.

    Args:
        people: the people.
        row: the person's row.
        distance: whether the people are in a camera's frame, so that there is a distance.
    """
    about = "~" if people.sources[row] == TranslationSource.FIELD_OF_VIEW else ""
    hidden = " hidden" if people.states[row] == TrackState.COASTING else ""
    if not distance:
        return f"{people.ids[row]}{hidden}"
    distance_m = np.linalg.norm(people.joints_m[row, 0])
    return f"{people.ids[row]}: {about}{distance_m:.1f} m{hidden}"


def bend(points_m: ArrayLike, camera: Camera) -> Floats:
    """Move points so that a pinhole camera shows them where the lens does, at the same depths.

    Beyond its field of view a lens model may fold back; there, points continue straight outwards.

    Args:
        points_m: (..., 3) in the optical frame.
        camera: camera with its lens.

    Returns:
        (..., 3) points for `camera.rectified()`.
    """
    points = np.asarray(points_m, np.float64)
    if camera.lens == "none":
        return points
    bent = points.copy()
    front = points[..., 2] > 0
    ahead = points[front]
    plane = ahead[:, :2] / ahead[:, 2:]
    beyond = np.maximum(np.linalg.norm(plane, axis=1) / _field_radius(camera), 1.0)[:, None]
    edge = np.column_stack([plane / beyond, np.ones(len(plane))])
    pixels = camera.project(edge)
    # Inside a fold of tangential terms before the reach nothing is imaged: no position is correct.
    pixels = np.where(np.isnan(pixels), camera.rectified().project(edge), pixels)
    bent[front, :2] = (
        (pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy) * beyond * ahead[:, 2:]
    )
    return bent


def _field_radius(camera: Camera) -> float:
    """Return the radius of the image's field of view on the plane z = 1, metres."""
    x, y = np.linspace(0, camera.width - 1, 9), np.linspace(0, camera.height - 1, 9)
    border = np.concatenate(
        [
            np.column_stack([np.tile(x, 2), np.repeat([0.0, y[-1]], 9)]),
            np.column_stack([np.repeat([0.0, x[-1]], 9), np.tile(y, 2)]),
        ]
    )
    radii = np.linalg.norm(camera.unproject(border)[:, :2], axis=1)
    reach = math.tan(min(0.98 * camera.reach_rad, _WIDEST_RAD))
    if np.isnan(radii).any():  # the lens's image circle ends inside the image
        return reach
    return min(1.05 * float(radii.max()), reach)


def _draw_meshes(
    rgb: RgbImage, result: FrameResult, vertices_m: ArrayLike, faces: ArrayLike, opacity: float
) -> RgbImage:
    camera, ids = result.camera, result.people.ids
    vertices, corners = merge_people(vertices_m, faces)
    intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy)
    size = (rgb.shape[1], rgb.shape[0])
    raster = rasterise(bend(vertices, camera), corners, intrinsics, size)
    normals = raster.interpolate(corners, vertex_normals(vertices, corners))
    seen = colours_of(ids)[raster.triangle // (len(corners) // len(ids))]
    return blend(rgb, raster, shade(seen, normals), opacity)


def _are_sure(people: People, row: int) -> NDArray[np.bool_]:
    """Return (24,) whether joints are drawn firmly; all are if confidences are unknown."""
    if people.joint_confidences is None:
        return np.ones(len(SMPL_PARENTS), np.bool_)
    return np.asarray(people.joint_confidences[row] >= _FIRM)


def _draw_skeleton(
    canvas: RgbImage, keypoints_px: Floats, sure: NDArray[np.bool_], colour: Colour, weight: float
) -> None:
    """Draw bones and joints; uncertain ones faintly: thin, and without a dark outline."""
    shown = np.asarray(np.isfinite(keypoints_px).all(1))
    joints = _fixed_point(np.where(shown[:, None], keypoints_px, 0))
    bones, dots = joints[_BONES], joints[:, None].repeat(2, 1)  # a line of zero length is a dot
    whole, firm = shown[_BONES].all(1), sure[_BONES].all(1)
    pale = tuple(round(0.35 * value + 0.65 * 255) for value in colour)
    for lines, thickness, paint in (
        (bones[whole & ~firm], 0.75 * weight, pale),
        (dots[shown & ~sure], 1.5 * weight, pale),
        (bones[whole & firm], 3 * weight, _DARK),
        (dots[shown & sure], 5 * weight, _DARK),
        (bones[whole & firm], 1.5 * weight, pale),
        (dots[shown & sure], 3 * weight, pale),
    ):
        cv2.polylines(
            canvas,
            list(lines),
            isClosed=False,
            color=paint,
            thickness=max(1, round(thickness)),
            lineType=cv2.LINE_AA,
            shift=_SUBPIXEL_BITS,
        )


def _draw_box(canvas: RgbImage, box_xyxy: Floats, colour: Colour, thickness: float) -> None:
    left, top, right, bottom = _whole(box_xyxy)
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, max(1, round(thickness)))


def _draw_label(
    canvas: RgbImage, box_xyxy: Floats, text: str, colour: Colour, weight: float
) -> None:
    weight = max(weight, 0.8)  # text becomes unreadable sooner than lines
    scale, thickness, pad = 0.5 * weight, max(1, round(weight)), round(3 * weight)
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    left, top, _, _ = _whole(box_xyxy)
    # Above the box, but inside the image.
    x = min(max(left, 0), max(canvas.shape[1] - width - 2 * pad, 0))
    bottom = min(max(top, height + below + 2 * pad), canvas.shape[0])
    cv2.rectangle(
        canvas, (x, bottom - height - below - 2 * pad), (x + width + 2 * pad, bottom), colour, -1
    )
    bright = float(np.dot(colour, (0.299, 0.587, 0.114))) > 128
    ink = _DARK if bright else _LIGHT
    place = (x + pad, bottom - pad - below)
    cv2.putText(canvas, text, place, _FONT, scale, ink, thickness, cv2.LINE_AA)


def _fixed_point(pixels: Floats) -> NDArray[np.int32]:
    clipped = np.clip(pixels, -_FARTHEST_PX, _FARTHEST_PX)
    return np.asarray(np.rint(clipped * 2**_SUBPIXEL_BITS), np.int32)


def _whole(box_xyxy: Floats) -> list[int]:
    whole: list[int] = np.clip(np.rint(box_xyxy), -_FARTHEST_PX, _FARTHEST_PX).astype(int).tolist()
    return whole

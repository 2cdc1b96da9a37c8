"""People drawn over a photo: lighting and antialiased blending of `raster`'s result."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, Integers, RgbImage
from smpler_model.body.normals import vertex_normals
from smpler_model.drawing.raster import Raster, rasterise

LIGHT_FROM = (-0.4, -0.7, -0.6)  # over the camera's left shoulder; x right, y down, z forward


def shade(
    colours: ArrayLike,
    normals: ArrayLike,
    *,
    light_from: ArrayLike = LIGHT_FROM,
    ambient: float = 0.45,
) -> NDArray[np.float32]:
    """Light colours by a hemisphere (brighter from above) and one directional light (Lambert).

    Args:
        colours: (n, 3), 0 to 255.
        normals: (n, 3) in the camera's frame, of any length.
        light_from: direction towards the light.
        ambient: fraction of the light that comes from the hemisphere, 0 to 1.

    Returns:
        (n, 3), 0 to 255, float32.
    """
    n = np.asarray(normals, np.float32)
    n = n / np.maximum(np.sqrt(np.einsum("nk,nk->n", n, n)), 1e-12)[:, None]
    light = np.asarray(light_from, np.float32)
    lambert = np.maximum(n @ (light / np.linalg.norm(light)), 0)
    sky = 0.75 - 0.25 * n[:, 1]
    brightness = ambient * sky + (1 - ambient) * lambert
    return np.asarray(np.asarray(colours, np.float32) * brightness[:, None], np.float32)


def merge_people(vertices_m: ArrayLike, faces: ArrayLike) -> tuple[Floats, Integers]:
    """Merge people (n, v, 3) with shared faces (f, 3) into one mesh: (n*v, 3) and (n*f, 3).

    Raises:
        ValueError: the vertices are not (n, v, 3).
    """
    vertices, corners = np.asarray(vertices_m, np.float64), np.asarray(faces, np.int64)
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise ValueError(f"vertices must be (n, v, 3), got {vertices.shape}; stack the people")
    n, v, _ = vertices.shape
    merged = corners + v * np.arange(n)[:, None, None]
    return vertices.reshape(n * v, 3), merged.reshape(-1, 3)


def blend(image: RgbImage, raster: Raster, colours: ArrayLike, opacity: float = 1.0) -> RgbImage:
    """Blend colours into an image, with the silhouette softened over one pixel.

    Args:
        image: (h, w, 3), RGB; not modified.
        raster: what is visible, at the image's size.
        colours: (n, 3) at the raster's pixels, RGB, 0 to 255.
        opacity: 0 shows only the image, 1 hides it.

    Raises:
        ValueError: image and raster differ in size.
    """
    height, width = image.shape[:2]
    if (width, height) != raster.size:
        raise ValueError(
            f"image must be {raster.size} (width, height) like the raster, "
            f"got {(width, height)}; rasterise at the image's size"
        )
    out = image.copy()
    if not len(raster.pixel):
        return out
    y, x = np.divmod(raster.pixel, width)
    top, bottom = max(int(y[0]) - 1, 0), min(int(y[-1]) + 2, height)
    left, right = max(int(x.min()) - 1, 0), min(int(x.max()) + 2, width)
    layer = np.zeros((bottom - top, right - left, 4), np.float32)  # colour times cover, cover
    layer[y - top, x - left, :3] = colours
    layer[y - top, x - left, 3] = 1
    soft = cv2.GaussianBlur(layer, (3, 3), 0.6)
    inside = cv2.erode(layer[..., 3], np.ones((3, 3), np.uint8)) > 0
    soft[inside] = layer[inside]
    region = out[top:bottom, left:right]
    region[:] = region * (1 - opacity * soft[..., 3:]) + opacity * soft[..., :3] + 0.5
    return out


def draw_people(
    image: RgbImage,
    vertices_m: ArrayLike,
    faces: ArrayLike,
    intrinsics: ArrayLike,
    colours: ArrayLike,
    *,
    opacity: float = 0.85,
) -> RgbImage:
    """Draw people (n, v, 3), occluding each other by depth, over an RGB image.

    Args:
        image: (h, w, 3), RGB; not modified.
        vertices_m: (n, v, 3) in the camera's optical frame, metres.
        faces: (f, 3), shared by all people.
        intrinsics: fx, fy, cx, cy of the image, pixels.
        colours: (n, 3) one per person, or (n, v, 3) one per vertex; RGB, 0 to 255.
        opacity: 0 shows only the image, 1 hides it.
    """
    vertices, corners = merge_people(vertices_m, faces)
    raster = rasterise(vertices, corners, intrinsics, (image.shape[1], image.shape[0]))
    normals = raster.interpolate(corners, vertex_normals(vertices, corners))
    paint = np.asarray(colours, np.float32)
    if paint.ndim == 2:
        seen = paint[raster.triangle // len(np.asarray(faces))]
    else:
        seen = raster.interpolate(corners, paint.reshape(-1, 3))
    return blend(image, raster, shade(seen, normals), opacity)

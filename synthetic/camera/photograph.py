"""Renders posed people with clothes and light into images with exact masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from synthetic.camera.raster_batch import Fragments, rasterise_batch
from synthetic.noise import srgb_from_linear
from synthetic.people.appearance import Atlas, Outfit
from synthetic.world.lighting import Lights, find_openness, light
from synthetic.world.painting import paint, thicken

EDGE_BLUR = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class Photo:
    """b images of up to p people each.

    Attributes:
        image: (b, 3, h, w) display values in [0, 1].
        person: (b, h, w) index of the visible person in the image, -1 for none.
        depth_m: (b, h, w) depth of what was drawn, infinity for the backdrop.
    """

    image: Tensor
    person: Tensor
    depth_m: Tensor


class Wardrobe:
    """A body's topology and atlas, and the noise used for clothes.

    It has no mutable state: the same people, light and position give the same photo.
    """

    def __init__(self, faces: Tensor, atlas: Atlas, volume: Tensor) -> None:
        self.faces = faces
        self.atlas = atlas
        self.volume = volume

    @cached_property
    def vertex_from_face(self) -> Tensor:
        """(v, f) sparse: 1 if a vertex belongs to a face."""
        f = len(self.faces)
        columns = torch.arange(f, device=self.faces.device).repeat_interleave(3)
        shape = (len(self.atlas.coordinates), f)
        ones = torch.ones(3 * f, device=self.faces.device)
        return torch.sparse_coo_tensor(
            torch.stack((self.faces.reshape(-1), columns)), ones, shape, check_invariants=False
        ).coalesce()

    def normals(self, vertices_m: Tensor) -> Tensor:
        """Return (n, v, 3) unit normals of vertices (n, v, 3), weighted by area."""
        n = len(vertices_m)
        a, b, c = vertices_m.transpose(0, 1)[self.faces].unbind(1)  # (f, n, 3)
        across = torch.linalg.cross(b - a, c - a)
        total = torch.sparse.mm(self.vertex_from_face, across.flatten(1))
        return functional.normalize(total.view(-1, n, 3), dim=2).transpose(0, 1)

    def dress(self, vertices_m: Tensor, outfits: Outfit) -> tuple[Tensor, Tensor]:
        """Return dressed vertices (n, v, 3) and their normals (n, v, 3)."""
        normals = self.normals(vertices_m)
        offsets = thicken(self.atlas, outfits, self.volume)
        dressed = vertices_m + offsets[..., None] * normals
        return dressed, self.normals(dressed)


def photograph(
    wardrobe: Wardrobe,
    vertices_m: Tensor,
    outfits: Outfit,
    lights: Lights,
    intrinsics: Tensor,
    backdrop: Tensor,
    backdrop_depth_m: Tensor | None = None,
) -> Photo:
    """Render people in front of a backdrop.

    Args:
        wardrobe: topology, atlas and noise.
        vertices_m: (b, p, v, 3) in each camera's frame; people behind the camera are not drawn.
        outfits: outfits of the b*p people, image by image.
        lights: lights of the b images.
        intrinsics: (b, 4) fx, fy, cx, cy, pixels; pixel centres at integer coordinates.
        backdrop: (b, 3, h, w) linear light.
        backdrop_depth_m: (b, h, w); anything nearer than a person hides them.
    """
    b, p, v, _ = vertices_m.shape
    h, w = backdrop.shape[2:]
    dressed, normals = wardrobe.dress(vertices_m.flatten(0, 1).float(), outfits)
    row = torch.arange(p, device=dressed.device)[:, None, None]
    faces = (wardrobe.faces + v * row).flatten(0, 1)
    seen = rasterise_batch(dressed.view(b, p * v, 3), faces, intrinsics, (w, h))
    person = seen.triangle // len(wardrobe.faces)
    depth = seen.to_images(seen.depth, torch.inf)[:, 0]
    normals = seen.interpolate(faces, normals.reshape(b, p * v, 3))
    coordinates = seen.interpolate(faces, wardrobe.atlas.coordinates.repeat(p, 1))
    surface = paint(coordinates, outfits, seen.image * p + person, wardrobe.volume)
    openness = find_openness(depth).reshape(-1)[seen.pixel]
    points = locate(seen, intrinsics)
    colours = light(surface, normals, points, seen.image, lights, openness)
    shown = _find_unhidden(seen, backdrop_depth_m)
    drawn = seen.to_images(torch.column_stack((colours * shown[:, None], shown)))
    hidden = seen.to_images(torch.where(shown > 0, person, -1), -1)[:, 0]
    image = srgb_from_linear(_lay_over(drawn, backdrop))
    return Photo(image, hidden, torch.where(hidden < 0, torch.inf, depth))


def _find_unhidden(seen: Fragments, backdrop_depth_m: Tensor | None) -> Tensor:
    """Return (n,) 1 if a person is nearer than the backdrop, else 0."""
    if backdrop_depth_m is None:
        return torch.ones_like(seen.depth)
    return (seen.depth < backdrop_depth_m.reshape(-1)[seen.pixel]).float()


def locate(seen: Fragments, intrinsics: Tensor) -> Tensor:
    """Return (n, 3) points in the camera's frame at the pixels, metres."""
    width, height = seen.size
    fx, fy, cx, cy = intrinsics[seen.image].to(seen.depth.dtype).T
    x = (seen.pixel % width - cx) / fx
    y = (seen.pixel // width % height - cy) / fy
    return torch.stack((x, y, torch.ones_like(x)), 1) * seen.depth[:, None]


def _lay_over(drawn: Tensor, backdrop: Tensor) -> Tensor:
    """Blend premultiplied colours and coverage (b, 4, h, w) over a backdrop, with soft edges."""
    kernel = drawn.new_tensor(EDGE_BLUR)
    weights = (kernel[:, None] * kernel).expand(4, 1, 3, 3)
    soft = functional.conv2d(drawn, weights, padding=1, groups=4)
    inside = soft[:, 3:] > 0.999
    soft = torch.where(inside, drawn, soft)
    return backdrop * (1 - soft[:, 3:]) + soft[:, :3]

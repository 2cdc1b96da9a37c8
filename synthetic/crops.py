"""Square crops of synthetic people with their SMPL parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor
from torch.nn import functional

from smpler_model.body.skeleton import SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from synthetic.camera.cameras import (
    WORLD_FROM_BODY,
    crop_intrinsics,
    draw_cameras,
    project,
)
from synthetic.camera.photograph import Photo, Wardrobe, photograph
from synthetic.camera.raster_batch import rasterise_batch
from synthetic.camera.sensor import draw_sensors, expose
from synthetic.crop_style import CropStyle
from synthetic.noise import (
    draw_chance,
    draw_uniform,
    linear_from_srgb,
    make_volume,
    srgb_from_linear,
)
from synthetic.people.appearance import draw_outfits, make_atlas
from synthetic.people.moments import draw_moments
from synthetic.people.poses import draw_poses
from synthetic.people.recorded import RecordedPoses
from synthetic.people.turns import turn
from synthetic.world.abstract import draw_abstract
from synthetic.world.background import Backdrop, render_rooms
from synthetic.world.clutter import draw_clutter
from synthetic.world.lighting import Lights, cast_shadows, draw_lights, tune
from synthetic.world.occluders import draw_occlusion
from synthetic.world.photos import ScenePhotos
from synthetic.world.rooms import draw_rooms

BACKGROUND = 24  # label of everything but the person, in the map of parts
PART_STRIDE = 4  # pixels of the crop per pixel of the map of parts
_SIDE_STEP = 8  # pixels; rooms, shadows and parts are drawn at fractions of the resolution


@dataclass(frozen=True)
class DrawnCrops:
    """b square crops of s pixels, RGB, each around one person.

    Attributes:
        images: (b, 3, s, s) uint8.
        parts: (b, s/4, s/4) uint8, the SMPL joint that moves the visible surface most, 24
            elsewhere.
        rotations: (b, 24, 3, 3), the pelvis's in the camera's frame.
        betas: (b, 10).
        keypoints: (b, 24 + 17, 2) projected SMPL joints, then those of `skeleton.H36M_JOINTS`;
            the crop spans [-1, 1], y down. They may lie outside.
        translation_m: (b, 3) SMPL's origin in the camera's frame.
        intrinsics: (b, 4) fx, fy, cx, cy of the crop, pixels.
    """

    images: Tensor
    parts: Tensor
    rotations: Tensor
    betas: Tensor
    keypoints: Tensor
    translation_m: Tensor
    intrinsics: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor | slice) -> DrawnCrops:
        """Return some of the crops."""
        return DrawnCrops(
            **{field.name: getattr(self, field.name)[rows] for field in fields(self)}
        )


@dataclass(frozen=True)
class _People:
    """b people with the pelvis's rotation and all points in their cameras' frames, metres."""

    rotations: Tensor
    betas: Tensor
    translation_m: Tensor
    vertices_m: Tensor
    joints_m: Tensor


class CropRenderer:
    """Draws crops of people of one body; has no mutable state."""

    def __init__(
        self,
        body: Body,
        size: int = 224,
        *,
        style: CropStyle | None = None,
        poses: RecordedPoses | None = None,
        photos: ScenePhotos | None = None,
        seed: int = 0,
    ) -> None:
        """Store the arguments and prepare the body.

        Args:
            body: body of all people, who differ in shape.
            size: side of the crops, pixels, a multiple of 8.
            style: contents of the crops.
            poses: recorded poses, which some styles need.
            photos: photos as backgrounds, which some styles need.
            seed: random seed of the noise in materials.

        Raises:
            ValueError: the style needs poses or photos that are missing, or crops of this size
                cannot be drawn.
        """
        if size <= 0 or size % _SIDE_STEP:
            raise ValueError(
                f"the side of crops must be a positive multiple of {_SIDE_STEP} pixels, got "
                f"{size}; use {max(size // _SIDE_STEP, 1) * _SIDE_STEP}"
            )
        self.style = style or CropStyle()
        if (self.style.recorded and poses is None) or (self.style.photographed and photos is None):
            raise ValueError(
                f"a style with recorded {self.style.recorded:g} and photographed "
                f"{self.style.photographed:g} needs poses and photos, got none; pass "
                "RecordedPoses and ScenePhotos, or set both fractions to 0"
            )
        self.body = body
        self.size = size
        self.poses, self.photos = poses, photos
        self.volume = make_volume(torch.Generator().manual_seed(seed))
        joints = body.J_regressor @ body.v_template
        atlas = make_atlas(body.v_template, body.weights, joints)
        self.wardrobe = Wardrobe(body.faces.long(), atlas, self.volume)

    def draw_seen(self, b: int, generator: Generator) -> DrawnCrops:
        """Draw crops until b show enough of their person; see `CropStyle.least_seen`."""
        kept: list[DrawnCrops] = []
        while (missing := b - sum(map(len, kept))) > 0:
            crops = self.draw(min(missing + 1, b), generator)
            seen = (crops.parts != BACKGROUND).float().mean((1, 2))
            kept.append(crops[(seen >= self.style.least_seen).nonzero()[:missing, 0]])
        return join_crops(kept)

    @torch.no_grad()
    def draw(self, b: int, generator: Generator) -> DrawnCrops:
        """Draw b crops from a CPU generator; the same seed gives the same crops."""
        world_from_camera = draw_cameras(b, generator, self.style.close)
        person = self._draw_people(world_from_camera, torch.zeros(b, 2), generator)
        centre, side = draw_windows(person.vertices_m, generator, self.style)
        intrinsics = crop_intrinsics(centre, side, self.size)
        scene = person.vertices_m[:, None]
        if draw_chance(self.style.companions, (1,), generator):
            away = draw_uniform(0.35, 1.5, (b, 1), generator)
            aside = functional.normalize(torch.randn(b, 2, generator=generator), dim=1)
            other = self._draw_people(world_from_camera, away * aside, generator)
            scene = torch.stack((person.vertices_m, other.vertices_m), 1)
        photo = self._photograph(scene, world_from_camera, intrinsics, generator)
        image, hidden = self._disturb(photo, generator)
        parts = self._label(person.vertices_m, intrinsics, hidden)
        h36m = self.body.h36m_joints(person.vertices_m)
        points = torch.cat((person.joints_m, h36m), 1)
        pixels = project(points, intrinsics)
        return DrawnCrops(
            images=(image * 255 + 0.5).to(torch.uint8),
            parts=parts,
            rotations=person.rotations,
            betas=person.betas,
            keypoints=(pixels + 0.5) * (2 / self.size) - 1,
            translation_m=person.translation_m,
            intrinsics=intrinsics,
        )

    def _draw_people(
        self, world_from_camera: Tensor, place: Tensor, generator: Generator
    ) -> _People:
        """Place people on the floor at positions (b, 2) of the world."""
        b = len(place)
        betas = torch.randn(b, SMPL_SHAPE_COUNT, generator=generator).clamp(-3, 3)
        rotations = draw_poses(b, generator)
        if self.style.everyday:
            everyday = draw_chance(self.style.everyday, (b,), generator)
            if everyday.any():
                rotations[everyday] = draw_moments(int(everyday.sum()), generator)
        if self.style.recorded and self.poses:
            recorded = draw_chance(self.style.recorded, (b,), generator)
            rotations[recorded] = self.poses.draw(int(recorded.sum()), generator)
        heading = turn("z", draw_uniform(0, 2 * torch.pi, (b,), generator))
        camera_from_world = world_from_camera[:, :3, :3].transpose(1, 2)
        upright = camera_from_world @ heading @ torch.tensor(WORLD_FROM_BODY)
        rotations[:, 0] = upright @ rotations[:, 0]
        mesh = self.body.mesh(rotations, betas)
        up = world_from_camera[:, 2, :3]  # the world's z axis in the camera's frame
        lowest = torch.einsum("bvk,bk->bv", mesh.vertices, up).amin(1)
        origin = torch.cat((place, -lowest[:, None]), 1) - world_from_camera[:, :3, 3]
        translation = (camera_from_world @ origin[..., None])[..., 0]
        return _People(
            rotations,
            betas,
            translation,
            mesh.vertices + translation[:, None],
            mesh.joints + translation[:, None],
        )

    def _photograph(
        self, scene: Tensor, world_from_camera: Tensor, intrinsics: Tensor, generator: Generator
    ) -> Photo:
        b, p = scene.shape[:2]
        outfits = draw_outfits(b * p, generator, self.style.bare)
        up = world_from_camera[:, 2, :3].clone()
        lights = draw_lights(up, generator)
        square = (self.size, self.size)
        flat = self._draw_flat(b, generator)
        if flat is not None:
            lights = tune(lights, flat, generator)
            return photograph(self.wardrobe, scene, outfits, lights, intrinsics, flat)
        if draw_chance(self.style.abstract, (1,), generator):
            backdrop = draw_abstract(b, square, generator)
            return photograph(self.wardrobe, scene, outfits, lights, intrinsics, backdrop)
        rooms = draw_rooms(b, generator)
        room = render_rooms(
            rooms, lights, intrinsics, world_from_camera, square, self.volume, shrink=2
        )
        shade = self._shade(scene, room, lights, world_from_camera[:, 2, 3], intrinsics)
        colour = room.colour * shade[:, None]
        return photograph(self.wardrobe, scene, outfits, lights, intrinsics, colour, room.depth_m)

    def _draw_flat(self, b: int, generator: Generator) -> Tensor | None:
        """Draw what is behind b people without a floor to stand on; None for other places."""
        photos, cluttered = self._draw_photos(b, generator), self.style.cluttered
        if photos is None and cluttered and draw_chance(cluttered, (1,), generator):
            return draw_clutter(b, (self.size, self.size), generator)
        return photos

    def _draw_photos(self, b: int, generator: Generator) -> Tensor | None:
        """Draw windows of photos for a share of batches; None for the others."""
        share = self.style.photographed
        if share and self.photos and draw_chance(share, (1,), generator):
            return self.photos.draw(b, self.size, generator)
        return None

    def _shade(
        self, scene: Tensor, room: Backdrop, lights: Lights, floor_m: Tensor, intrinsics: Tensor
    ) -> Tensor:
        rows = torch.arange(self.size, dtype=torch.float32)
        fx, fy, cx, cy = intrinsics.T[:, :, None, None]
        x, y = (rows - cx) / fx, (rows[:, None] - cy) / fy
        shape = room.depth_m.shape
        rays = torch.stack((x.expand(shape), y.expand(shape), torch.ones(shape)), -1)
        points = scene[:, :, ::2].flatten(1, 2)
        return cast_shadows(points, rays * room.depth_m[..., None], lights, floor_m, intrinsics)

    def _disturb(self, photo: Photo, generator: Generator) -> tuple[Tensor, Tensor]:
        """Add occlusions and camera imperfections; also return where the person is not visible."""
        b, style = len(photo.image), self.style
        occlusion = draw_occlusion(
            b,
            (self.size, self.size),
            generator,
            presence=style.hidden,
            truncation=style.truncated,
            texture=self._draw_photos(b, generator),
        )
        covered = srgb_from_linear(occlusion.cover(linear_from_srgb(photo.image)))
        sensors = draw_sensors(b, generator, style.sensor_strength, style.harsh)
        image = expose(covered, sensors, generator)
        return image, occlusion.mask | (photo.person != 0)

    def _label(self, vertices_m: Tensor, intrinsics: Tensor, hidden: Tensor) -> Tensor:
        """Return the map of parts (b, s/4, s/4), at a quarter of the resolution."""
        coarse = self.size // PART_STRIDE
        half = (PART_STRIDE - 1) / 2  # from the first pixel of a cell to the cell's centre
        shift = intrinsics.new_tensor([0.0, 0.0, half, half])
        cells = (intrinsics - shift) / PART_STRIDE
        faces = self.body.faces.long()
        seen = rasterise_batch(vertices_m, faces, cells, (coarse, coarse))
        owner = self.body.weights.argmax(1)[faces[:, 0]].float()
        parts = seen.to_images(owner[seen.triangle], BACKGROUND)[:, 0]
        start = PART_STRIDE // 2
        out = hidden[:, start::PART_STRIDE, start::PART_STRIDE]
        return torch.where(out, float(BACKGROUND), parts).to(torch.uint8)


def join_crops(parts: Sequence[DrawnCrops]) -> DrawnCrops:
    """Concatenate the crops of several batches."""
    names = [field.name for field in fields(DrawnCrops)]
    return DrawnCrops(
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    )


def draw_windows(
    vertices_m: Tensor, generator: Generator, style: CropStyle
) -> tuple[Tensor, Tensor]:
    """Draw a detector's imperfect square crops around people.

    Args:
        vertices_m: (b, v, 3) in the cameras' frames.
        generator: generator on the CPU.
        style: how often they show only a part of the body.

    Returns:
        Centres (b, 2) and sides (b,), as x / z and y / z.
    """
    b = len(vertices_m)
    flat = vertices_m[..., :2] / vertices_m[..., 2:].clamp(min=0.2)
    low, high = flat.amin(1), flat.amax(1)
    extent = high - low
    cut = torch.rand(b, 3, generator=generator)
    share = draw_uniform(0.0, 0.45, (b,), generator)
    kind = 1 * (cut[:, 0] < style.cut_below) + 2 * (cut[:, 1] < style.cut_aside)
    high = torch.stack((high[:, 0], high[:, 1] - share * (kind % 2) * extent[:, 1]), 1)
    inward = 0.6 * share * (kind >= 2) * extent[:, 0]
    low = torch.stack((low[:, 0] + inward * (cut[:, 2] < 0.5), low[:, 1]), 1)
    high = torch.stack((high[:, 0] - inward * (cut[:, 2] >= 0.5), high[:, 1]), 1)
    tight = (high - low).amax(1)
    jitter = 0.05 * torch.randn(b, 2, generator=generator).clamp(-2.5, 2.5)
    margin = 1.2 * (0.12 * torch.randn(b, generator=generator).clamp(-2, 2)).exp()
    return (low + high) / 2 + jitter * tight[:, None], tight * margin

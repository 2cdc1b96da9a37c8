"""Photos: exact masks, order by depth, and no changes outside people."""

from dataclasses import fields

import torch

from synthetic.camera.photograph import photograph
from synthetic.camera.raster_batch import rasterise_batch
from tests.synthetic.conftest import Studio


def test_mask_equals_the_dressed_body_s(studio: Studio) -> None:
    photo = shoot(studio)
    dressed, _ = studio.wardrobe.dress(studio.vertices_m[:, 0], studio.outfits)
    seen = rasterise_batch(dressed, studio.wardrobe.faces, studio.intrinsics, (96, 96))
    mask = seen.to_images(torch.ones_like(seen.depth))[:, 0] > 0
    torch.testing.assert_close(photo.person >= 0, mask)
    torch.testing.assert_close(photo.depth_m.isfinite(), mask)
    bare = rasterise_batch(
        studio.vertices_m[:, 0], studio.wardrobe.faces, studio.intrinsics, (96, 96)
    )
    body = bare.to_images(torch.ones_like(bare.depth))[:, 0] > 0
    assert (mask & body).sum() > 0.97 * body.sum()  # clothes only add


def test_backdrop_is_unchanged_away_from_people(studio: Studio) -> None:
    photo = shoot(studio)
    far = torch.nn.functional.max_pool2d((photo.person >= 0).float(), 3, 1, 1) == 0
    kept = far[:, None].expand_as(photo.image)
    torch.testing.assert_close(photo.image[kept], studio.backdrop.sqrt()[kept])
    assert ((photo.image >= 0) & (photo.image <= 1)).all()


def test_nearer_backdrops_occlude_people(studio: Studio) -> None:
    wall = torch.full((2, 96, 96), 100.0)
    wall[:, :, :48] = 1.0
    photo = shoot(studio, depth=wall)
    free = shoot(studio)
    assert (photo.person[:, :, :48] == -1).all()
    torch.testing.assert_close(photo.person[:, :, 48:], free.person[:, :, 48:])


def test_people_occlude_each_other_and_may_be_absent(studio: Studio) -> None:
    body = studio.vertices_m[:1, 0]
    shift = torch.tensor([0.25, 0.0, 1.0])
    both = torch.stack((body + shift, body), 1)
    absent = torch.stack((body - torch.tensor([0.0, 0.0, 9.0]), body), 1)
    looks = studio.outfits
    arguments = studio.lights, studio.intrinsics[:1], studio.backdrop[:1]
    lights = type(studio.lights)(
        **{f.name: getattr(studio.lights, f.name)[:1] for f in fields(studio.lights)}
    )
    crowded = photograph(studio.wardrobe, both, looks, lights, *arguments[1:])
    alone = photograph(studio.wardrobe, absent, looks, lights, *arguments[1:])
    assert (alone.person != 0).all()
    nearer = alone.person == 1
    assert (crowded.person[nearer] == 1).all()
    assert (crowded.person == 0).sum() > 50


def test_the_same_arguments_give_the_same_photo(studio: Studio) -> None:
    torch.testing.assert_close(shoot(studio).image, shoot(studio).image, rtol=0, atol=0)


def shoot(studio: Studio, depth: torch.Tensor | None = None):  # noqa: ANN201
    return photograph(
        studio.wardrobe,
        studio.vertices_m,
        studio.outfits,
        studio.lights,
        studio.intrinsics,
        studio.backdrop,
        depth,
    )

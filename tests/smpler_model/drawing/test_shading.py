"""Lighting and blending of the rasteriser's results."""

import numpy as np
import pytest

from smpler_model.drawing.raster import rasterise
from smpler_model.drawing.shading import (
    blend,
    draw_people,
    merge_people,
    shade,
)
from tests.shapes import make_sphere

CAMERA = (90.0, 90.0, 32.0, 24.0)
SPHERE, FACES = make_sphere()
PEOPLE = np.stack((0.5 * SPHERE + [0.1, 0, 2.5], SPHERE + np.array([0.4, 0, 5])))
GREY = np.full((48, 64, 3), 90, np.uint8)


def test_surfaces_that_face_the_light_are_brighter() -> None:
    shaded = shade(np.full((2, 3), 200.0), [[0, 0, -2], [0, 0, 1]], light_from=(0, 0, -1))
    assert shaded[0].min() > 2 * shaded[1].max()
    assert shaded.max() <= 200


def test_drawing_changes_only_people_and_one_pixel_around() -> None:
    before = GREY.copy()
    drawn = draw_people(GREY, PEOPLE, FACES, CAMERA, [[250, 20, 20], [20, 20, 250]], opacity=1)
    np.testing.assert_array_equal(GREY, before)
    mask = rasterise(*merge_people(PEOPLE, FACES), CAMERA, (64, 48)).mask()
    near = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        near[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = True
    np.testing.assert_array_equal(drawn[~near], GREY[~near])
    assert drawn[24, 35, 0] > 100 > drawn[24, 35, 2]  # the red one is nearer
    edge = near & ~mask
    assert (drawn[edge] != 90).any()


def test_opacity_zero_changes_nothing() -> None:
    drawn = draw_people(GREY, PEOPLE, FACES, CAMERA, np.zeros((2, 3)), opacity=0)
    np.testing.assert_array_equal(drawn, GREY)


def test_colours_of_vertices_are_interpolated() -> None:
    colours = np.zeros((1, len(SPHERE), 3))
    colours[0, SPHERE[:, 0] > 0.01] = 255
    drawn = draw_people(GREY, PEOPLE[:1], FACES, CAMERA, colours, opacity=1)
    assert drawn[24, 42].min() > 60
    assert drawn[24, 30].max() == 0


def test_no_people_change_nothing() -> None:
    drawn = draw_people(GREY, np.empty((0, len(SPHERE), 3)), FACES, CAMERA, np.empty((0, 3)))
    np.testing.assert_array_equal(drawn, GREY)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="stack the people"):
        merge_people(SPHERE, FACES)
    raster = rasterise(PEOPLE[0], FACES, CAMERA, (32, 48))
    with pytest.raises(ValueError, match="rasterise at the image's size"):
        blend(GREY, raster, np.zeros((len(raster.pixel), 3)))

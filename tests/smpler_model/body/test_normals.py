"""Normals of surfaces."""

import numpy as np

from smpler_model.body.normals import vertex_normals
from tests.shapes import make_sphere

SPHERE, FACES = make_sphere()


def test_normals_of_a_sphere_point_outwards() -> None:
    normals = vertex_normals(3 * SPHERE, FACES)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert np.einsum("vk,vk->v", normals, SPHERE).min() > 0.99


def test_vertices_without_faces_have_no_normal() -> None:
    normals = vertex_normals(np.vstack((SPHERE, [5.0, 0, 0])), FACES)
    np.testing.assert_array_equal(normals[-1], 0)

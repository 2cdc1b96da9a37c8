"""Implicit shapes, their contour, and the remeshing of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic.body.contour import contour
from synthetic.body.primitives import Cone, Ellipsoid, Loft, blend, carve, mirrored
from synthetic.body.skinning import diffuse, limit_influences
from synthetic.body.topology import EditableMesh
from tests.synthetic.body.body_geometry import find_edges, find_volume

METRES = st.floats(-0.2, 0.2)
WIDTHS = st.floats(0.001, 0.1)


@given(first=METRES, second=METRES, width=WIDTHS)
def test_blend_is_symmetric_and_adds_at_most_a_sixth(
    first: float, second: float, width: float
) -> None:
    a, b = np.array([first]), np.array([second])
    value = blend(a, b, width)[0]
    assert value == blend(b, a, width)[0]
    assert min(first, second) - width / 6 - 1e-15 <= value <= min(first, second)
    if abs(first - second) >= width:
        assert value == min(first, second)
    assert carve(a, b, width)[0] >= max(first, -second) - 1e-15 or abs(first + second) < width


def test_shapes_are_zero_on_their_surface() -> None:
    cone = Cone((0, 0, 0), (0.3, 0, 0), 0.05, 0.03)
    np.testing.assert_allclose(cone(np.array([[0.15, 0.04, 0], [-0.05, 0, 0]])), 0, atol=1e-12)
    ball = Ellipsoid((0.1, 0, 0), (0.1, 0.2, 0.3))
    surface = np.array([[0.2, 0, 0], [0.1, 0.2, 0], [0.1, 0, -0.3]])
    np.testing.assert_allclose(ball(surface), 0, atol=1e-12)
    rows = [(t, 0.0, 0.01, -0.05, 0.04, -0.03, 0.06, 0.5) for t in (0.0, 0.5, 1.0)]
    tube = Loft(1, rows, 0.02)
    sides = np.array([[-0.05, 0.5, 0.01], [0.04, 0.5, 0.01], [0, 0.5, -0.03], [0, 0.5, 0.06]])
    np.testing.assert_allclose(tube(sides), 0, atol=1e-12)
    assert tube(np.array([[0, 0.5, 0.01]]))[0] < -0.03
    both = mirrored(ball, 0.01)
    assert both(np.array([[-0.2, 0, 0]]))[0] == pytest.approx(0, abs=1e-12)


def half_ball() -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(-0.13, 0.13, 14)
    return contour(Ellipsoid((0, 0, 0), (0.1, 0.1, 0.1)), np.linspace(0, 0.13, 7), axis, axis)


def test_contour_of_a_ball_is_closed_and_has_its_volume() -> None:
    axis = np.linspace(-0.13, 0.13, 33)
    vertices, faces = contour(Ellipsoid((0, 0, 0), (0.1, 0.1, 0.1)), axis, axis, axis)
    directed = find_edges(faces)
    _, uses = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert (uses == 2).all()
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert len(vertices) - len(uses) + len(faces) == 2
    assert find_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 1e-3, rel=0.02)


def test_contour_is_open_only_at_the_seam() -> None:
    vertices, faces = half_ball()
    edges, uses = np.unique(np.sort(find_edges(faces), axis=1), axis=0, return_counts=True)
    assert set(uses) == {1, 2}
    assert (vertices[edges[uses == 1], 0] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_random_edits_keep_a_disc(seed: int) -> None:
    vertices, faces = half_ball()
    mesh = EditableMesh(vertices, faces)
    random = np.random.default_rng(seed)
    done = {"collapse": 0, "split": 0, "flip": 0}
    for _ in range(150):
        edges = mesh.edges()
        a, b = random.permutation(edges[random.integers(len(edges))]).tolist()
        kind = random.choice(list(done))
        if kind == "split":
            mesh.split(a, b)
            done[kind] += 1
        else:
            done[kind] += mesh.collapse(a, b, 0.1) if kind == "collapse" else mesh.flip(a, b)
    assert min(done.values()) > 0
    points, triangles = mesh.compact()
    directed = find_edges(triangles)
    edges, uses = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert uses.max() == 2
    assert len(points) - len(edges) + len(triangles) == 1
    assert (points[edges[uses == 1], 0] == 0).all()


def test_edges_are_flipped_as_if_one_after_another() -> None:
    vertices, faces = half_ball()
    random = np.random.default_rng(0)
    inner = vertices[:, 0] > 0
    vertices[inner] += random.normal(0, 0.006, (inner.sum(), 3)).clip(-0.01, 0.01)
    one, all_ = EditableMesh(vertices, faces), EditableMesh(vertices, faces)
    for _ in range(3):
        flipped = [one.flip(a, b) for a, b in one.edges().tolist()]
        all_.flip_all()
        assert one.faces == all_.faces
        assert one.star == all_.star
        assert 0 < sum(flipped) < len(flipped) / 2


def test_diffusion_keeps_sums_and_bounds_and_smooths() -> None:
    axis = np.linspace(-0.13, 0.13, 15)
    vertices, faces = contour(Ellipsoid((0, 0, 0), (0.1, 0.1, 0.1)), axis, axis, axis)
    hard = np.stack([vertices[:, 1] > 0, vertices[:, 1] <= 0], axis=1).astype(float)
    soft = diffuse(vertices, faces, hard, np.full(len(vertices), 0.03))
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-9)
    assert soft.min() > -1e-9
    equator = np.abs(vertices[:, 1]) < 0.005
    assert np.abs(soft[equator, 0] - 0.5).max() < 0.2
    poles = np.abs(vertices[:, 1]) > 0.09
    assert np.abs(soft - hard)[poles].max() < 0.1


@given(seed=st.integers(0, 2**32 - 1))
def test_limited_weights_are_the_largest_four(seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(8, 0.4), size=20)
    limited = limit_influences(weights)
    np.testing.assert_array_equal(limited.sum(axis=1), 1)
    assert ((limited > 0).sum(axis=1) <= 4).all()
    assert limited.min() >= 0
    best = np.take_along_axis(limited, weights.argmax(axis=1)[:, None], axis=1)
    assert (best[:, 0] >= weights.max(axis=1) - 1e-3).all()

"""Laws of rasterisation: each pixel once, correct depth, correct order, exact positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.drawing.raster import Raster, rasterise
from tests.shapes import make_sphere

CAMERA = (90.0, 80.0, 30.5, 23.0)
SIZE = (64, 48)
SPHERE, SPHERE_FACES = make_sphere()


def project(points: np.ndarray, camera: tuple[float, ...] = CAMERA) -> np.ndarray:
    fx, fy, cx, cy = camera
    return points[..., :2] / points[..., 2:] * [fx, fy] + [cx, cy]


def map_of(raster: Raster, values: np.ndarray, nothing: float) -> np.ndarray:
    """Return a raster's values of its pixels as an image (h, w, ...)."""
    width, height = raster.size
    filled = np.full((height * width, *values.shape[1:]), nothing, values.dtype)
    filled[raster.pixel] = values
    return filled.reshape(height, width, *values.shape[1:])


def rays(camera: tuple[float, ...], size: tuple[int, int]) -> np.ndarray:
    fx, fy, cx, cy = camera
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return np.stack(((x - cx) / fx, (y - cy) / fy, np.ones_like(x, float)), -1)


def test_point_on_the_axis_lands_on_the_centre_of_the_principal_pixel() -> None:
    dot = 0.004 * SPHERE + [0, 0, 1.0]
    raster = rasterise(dot, SPHERE_FACES, (100.0, 100.0, 20.0, 10.0), (40, 30))
    assert np.argwhere(raster.mask()).tolist() == [[10, 20]]


@settings(max_examples=60, deadline=None)
@given(
    jitter=st.lists(st.integers(-7, 7), min_size=32, max_size=32),
    offset=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_triangles_of_a_sheet_cover_each_pixel_exactly_once(
    jitter: list[int], offset: tuple[int, int]
) -> None:
    # Corners on quarters of pixels, so that many edges and corners coincide with pixel centres.
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1) * 8.0
    moved = grid + (np.reshape(jitter, (4, 4, 2)) + np.array(offset)) / 4
    border = np.ones((4, 4), bool)
    border[1:3, 1:3] = False
    moved[border] = grid[border] + np.array(offset) / 4
    points = np.concatenate((moved.reshape(-1, 2), np.ones((16, 1))), 1)
    a = (np.arange(3)[:, None] * 4 + np.arange(3)).ravel()
    faces = np.concatenate((np.stack((a, a + 1, a + 5), 1), np.stack((a, a + 5, a + 4), 1)))
    count = np.zeros((28, 28), int)
    for face in faces:
        count += rasterise(
            points, face[None], (1.0, 1.0, 0.0, 0.0), (28, 28), cull_back=False
        ).mask()
    x0, y0 = np.ceil(np.array(offset) / 4).astype(int)
    expected = np.zeros((28, 28), int)
    expected[y0 : y0 + 24, x0 : x0 + 24] = 1
    assert _signed_area(moved, faces).min() > 0  # the sheet does not fold
    np.testing.assert_array_equal(count, expected)


def _signed_area(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = points.reshape(-1, 2)[faces].transpose(1, 0, 2)
    ab, ac = b - a, c - a
    return np.asarray(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])


@settings(max_examples=40, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    place=st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(2.5, 6)),
)
def test_front_and_back_of_a_closed_mesh_cover_the_same_pixels(
    turn: tuple[float, ...], place: tuple[float, ...]
) -> None:
    vertices = (SPHERE * [1, 0.3, 0.7]) @ Rotation.from_rotvec(turn).as_matrix() + place
    front = rasterise(vertices, SPHERE_FACES, CAMERA, SIZE)
    back = rasterise(vertices, SPHERE_FACES[:, ::-1], CAMERA, SIZE)
    np.testing.assert_array_equal(front.pixel, back.pixel)
    # Corners are snapped, so that a centre may be drawn up to 1/512 pixel outside of its triangle,
    # where the planes of front and back have crossed.
    inside = (front.barycentric > 0).all(1) & (back.barycentric > 0).all(1)
    assert inside.mean() > 0.5  # left out are these, and centres that lie exactly on an edge
    assert (front.depth <= back.depth)[inside].all()


@pytest.mark.parametrize("nearest_m", [0.3, -2.0], ids=["in front", "some behind the camera"])
def test_agrees_with_ray_casting(nearest_m: float) -> None:
    generator = np.random.default_rng(1)
    centre = generator.uniform([-1, -1, 1.5], [1, 1, 5], (40, 1, 3))
    triangles = centre + generator.normal(0, 0.4, (40, 3, 3))
    near_m = 0.2
    if nearest_m < 0:
        triangles[:, 0, 2] = generator.uniform(nearest_m, 0, 40)  # one corner behind, or two
        triangles[::2, 1, 2] = generator.uniform(nearest_m, 0, 20)
    triangles[..., 2] = np.maximum(triangles[..., 2], nearest_m)
    faces = np.arange(120).reshape(-1, 3)
    raster = rasterise(
        triangles.reshape(-1, 3), faces, CAMERA, SIZE, near_m=near_m, cull_back=False
    )
    assert len(np.unique(raster.triangle)) > 8
    # Solve a + u ab + v ac = depth ray for every pixel and triangle.
    a, ab, ac = (
        triangles[:, 0],
        triangles[:, 1] - triangles[:, 0],
        triangles[:, 2] - triangles[:, 0],
    )
    ray = rays(CAMERA, SIZE).reshape(-1, 1, 3)
    columns = np.broadcast_arrays(-ab[None], -ac[None], ray)
    solved = np.linalg.solve(
        np.stack(columns, -1), np.broadcast_to(a, columns[0].shape)[..., None]
    )
    u, v, depth = solved[..., 0].transpose(2, 0, 1)
    depth = np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (depth >= near_m), depth, np.inf)
    same = map_of(raster, raster.triangle, -1).ravel() == np.where(
        np.isinf(depth.min(1)), -1, depth.argmin(1)
    )
    assert same.mean() > 0.995  # corners were snapped to 1/256 pixel
    seen = same & (map_of(raster, raster.triangle, -1).ravel() >= 0)
    np.testing.assert_allclose(raster.depth_map().ravel()[seen], depth.min(1)[seen], rtol=1e-5)


def test_floor_extending_behind_the_camera_has_analytic_depth() -> None:
    floor = np.array([[-50, 1, -20], [50, 1, -20], [50, 1, 300], [-50, 1, 300]], float)
    camera = (50.0, 60.0, 32.0, 20.0)
    raster = rasterise(floor, [[0, 1, 2], [0, 2, 3]], camera, SIZE, cull_back=False, near_m=0.1)
    depth = raster.depth_map()
    below = np.arange(21, 48)  # the first row below the horizon shows the floor at 60 m
    expected = 60.0 / (below - 20.0)
    np.testing.assert_allclose(depth[21:], np.repeat(expected[:, None], 64, 1), rtol=1e-6)
    assert np.isinf(depth[:20]).all()
    near = rasterise(floor, [[0, 1, 2], [0, 2, 3]], camera, SIZE, cull_back=False, near_m=4.0)
    assert np.isinf(near.depth_map()[36:]).all()
    np.testing.assert_array_equal(near.depth_map()[21:35], depth[21:35])


def test_nothing_is_drawn_from_behind_the_camera() -> None:
    assert not rasterise(SPHERE - [0, 0, 3], SPHERE_FACES, CAMERA, SIZE).mask().any()


def test_interpolation_is_perspective_correct() -> None:
    plane = np.array([[-2, -1, 1.2], [1.5, -1.2, 6], [1, 2, 9], [-2, 1, 1.4]], float)
    plane[3] = plane[0] + 0.3 * (plane[1] - plane[0]) + 0.6 * (plane[2] - plane[0])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    raster = rasterise(plane, faces, CAMERA, SIZE, cull_back=False)
    assert len(raster.pixel) > 500
    expected = rays(CAMERA, SIZE).reshape(-1, 3)[raster.pixel] * raster.depth[:, None]
    normal = np.cross(plane[1] - plane[0], plane[2] - plane[0])
    inside = (raster.barycentric > 1e-3).all(1)
    np.testing.assert_allclose(expected @ normal, plane[0] @ normal, rtol=1e-4)
    places = raster.interpolate(faces, plane)
    np.testing.assert_allclose(places[inside], expected[inside], atol=2e-5)
    np.testing.assert_allclose(raster.barycentric.sum(1), 1, atol=1e-6)


def test_nearer_sphere_occludes_the_farther_in_any_order() -> None:
    near, far = 0.5 * SPHERE + np.array([0, 0, 2]), SPHERE + np.array([0, 0, 5])
    faces = np.concatenate((SPHERE_FACES, SPHERE_FACES + len(SPHERE)))
    one = rasterise(np.concatenate((near, far)), faces, CAMERA, SIZE)
    other = rasterise(np.concatenate((far, near)), faces, CAMERA, SIZE)
    np.testing.assert_array_equal(one.depth_map(), other.depth_map())
    nearer = rasterise(near, SPHERE_FACES, CAMERA, SIZE).mask()
    np.testing.assert_array_equal(map_of(one, one.triangle, -1)[nearer] < len(SPHERE_FACES), True)
    assert one.depth_map()[23, 30] == pytest.approx(1.5, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(x=st.floats(-0.5, 0.5), y=st.floats(-0.4, 0.4), z=st.floats(2, 4))
def test_spheres_are_drawn_where_their_centres_project(x: float, y: float, z: float) -> None:
    camera = (400.0, 380.0, 160.0, 120.0)
    fine, faces = make_sphere(24, 32)
    raster = rasterise(0.05 * fine + [x, y, z], faces, camera, (320, 240))
    seen = np.argwhere(raster.mask())[:, ::-1]
    # A sphere's outline is an ellipse whose middle lies outwards of the centre's projection, by
    # about (radius / depth)^2 of the distance from the principal point.
    centre = project(np.array([x, y, z]), camera)
    assert np.abs(seen.mean(0) - centre).max() < 0.2


def test_vertices_project_onto_triangles_they_belong_to() -> None:
    camera = (300.0, 300.0, 160.0, 120.0)
    vertices = SPHERE + np.array([0.1, -0.1, 3.2])
    raster = rasterise(vertices, SPHERE_FACES, camera, (320, 240))
    towards = np.einsum("vk,vk->v", SPHERE, vertices) < -0.6  # well inside of the outline
    places = project(vertices[towards], camera)
    pixels = np.rint(places).astype(int)
    triangles = map_of(raster, raster.triangle, -1)[pixels[:, 1], pixels[:, 0]]
    weights = map_of(raster, raster.barycentric, 0)[pixels[:, 1], pixels[:, 0]]
    rows = np.flatnonzero(towards)
    own = SPHERE_FACES[triangles] == rows[:, None]
    assert own.any(1).mean() > 0.9
    # The weight of the vertex itself grows to 1 as its projection nears the pixel's centre.
    close = own.any(1) & (np.abs(places - pixels).max(1) < 0.25)
    assert close.sum() > 5
    assert weights[own & close[:, None]].min() > 0.8


@pytest.mark.parametrize(
    ("vertices", "faces", "camera", "size", "message"),
    [
        (SPHERE[None], SPHERE_FACES, CAMERA, SIZE, "vertices must be"),
        (SPHERE, SPHERE_FACES[:, :2], CAMERA, SIZE, "faces must be"),
        (SPHERE, SPHERE_FACES, CAMERA[:3], SIZE, "intrinsics must be"),
        (SPHERE, SPHERE_FACES, (-1, 1, 0, 0), SIZE, "intrinsics must be"),
        (SPHERE, SPHERE_FACES, CAMERA, (0, 5), "size and near_m"),
    ],
    ids=["batch", "edges", "three numbers", "negative focal length", "no width"],
)
def test_unusable_arguments_are_named(
    vertices: object, faces: object, camera: object, size: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        rasterise(vertices, faces, camera, size)  # type: ignore[arg-type]

"""The batched rasteriser gives the results of the single-image one."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from smpler_model.drawing.raster import rasterise
from synthetic.camera.raster_batch import rasterise_batch
from tests.shapes import make_figure, make_sphere
from tests.smpler_model.drawing.test_raster import map_of

SIZE = (64, 48)
CAMERAS = torch.tensor(
    [[90.0, 80.0, 30.5, 23.0], [60.0, 60.0, 20.0, 30.0], [200.0, 150.0, 32, 24]]
)
FIGURE, FIGURE_FACES, _, _ = make_figure()
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def place_figures(dtype: torch.dtype = torch.float64) -> Tensor:
    """Three rotated figures; the second is cut by the camera's near plane."""
    turns = Rotation.from_rotvec([[3.1, 0, 0], [2.0, 0.5, 1.0], [0.2, 2.0, 2.5]]).as_matrix()
    offsets = np.array([[0.0, 0.0, 2.6], [0.2, 0.1, 0.35], [-0.1, 0.2, 4.0]])
    return torch.tensor(FIGURE.numpy() @ turns + offsets[:, None]).to(dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cull_back", [True, False])
def test_equals_the_other_rasteriser(device: str, cull_back: bool) -> None:
    vertices = place_figures()
    seen = rasterise_batch(
        vertices.to(device), FIGURE_FACES.to(device), CAMERAS.to(device), SIZE, cull_back=cull_back
    )
    triangles = seen.to_images(seen.triangle, -1)[:, 0].cpu()
    depths = seen.to_images(seen.depth, torch.inf)[:, 0].cpu()
    for row in range(3):
        raster = rasterise(
            vertices[row], FIGURE_FACES, CAMERAS[row].double(), SIZE, cull_back=cull_back
        )
        assert raster.mask().sum() > 100
        np.testing.assert_array_equal(triangles[row], map_of(raster, raster.triangle, -1))
        np.testing.assert_allclose(depths[row], raster.depth_map(), rtol=1e-6)
        weights = seen.barycentric[seen.image == row].cpu()
        np.testing.assert_allclose(weights, raster.barycentric, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    place=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.5, 6)),
)
def test_masks_agree_in_single_precision(
    turn: tuple[float, ...], place: tuple[float, ...]
) -> None:
    vertices = FIGURE.numpy() @ Rotation.from_rotvec(turn).as_matrix() + place
    camera = np.array([150.0, 150.0, 63.5, 63.5])
    mine = rasterise_batch(
        torch.tensor(vertices[None], dtype=torch.float32),
        FIGURE_FACES,
        torch.tensor(camera, dtype=torch.float32),
        (128, 128),
    )
    theirs = rasterise(vertices, FIGURE_FACES, camera, (128, 128))
    drawn = mine.to_images(torch.ones_like(mine.depth))[0, 0].numpy() > 0
    union = (drawn | theirs.mask()).sum()
    assert union == 0 or (drawn & theirs.mask()).sum() / union > 0.98
    both = mine.to_images(mine.depth, torch.inf)[0, 0].numpy(), theirs.depth_map()
    same = mine.to_images(mine.triangle, -1)[0, 0].numpy() == map_of(theirs, theirs.triangle, -1)
    assert same.mean() > 0.99
    np.testing.assert_allclose(both[0][same], both[1][same], rtol=1e-4)


def test_images_of_a_batch_do_not_affect_each_other() -> None:
    vertices = place_figures()
    together = rasterise_batch(vertices, FIGURE_FACES, CAMERAS, SIZE)
    for row in range(3):
        alone = rasterise_batch(vertices[row : row + 1], FIGURE_FACES, CAMERAS[row], SIZE)
        mine = together.image == row
        torch.testing.assert_close(together.triangle[mine], alone.triangle, rtol=0, atol=0)
        torch.testing.assert_close(together.depth[mine], alone.depth, rtol=0, atol=0)


def test_interpolated_positions_lie_on_the_pixels_rays() -> None:
    sphere, faces = make_sphere()
    vertices = torch.tensor(sphere + np.array([[[0.2, 0, 3]], [[0, 0.1, 4]]]))
    corners = torch.tensor(faces)
    seen = rasterise_batch(vertices, corners, CAMERAS[:2], SIZE)
    places = seen.interpolate(corners, vertices)
    fx, fy, cx, cy = CAMERAS[seen.image].double().T
    pixels = torch.stack(
        (places[:, 0] / places[:, 2] * fx + cx, places[:, 1] / places[:, 2] * fy + cy)
    )
    at = seen.pixel % (SIZE[0] * SIZE[1])
    inside = (seen.barycentric > 1e-3).all(1)
    expected = torch.stack((at % SIZE[0], at // SIZE[0])).double()
    torch.testing.assert_close(pixels[:, inside], expected[:, inside], rtol=0, atol=1e-3)
    shared = seen.interpolate(corners, torch.tensor(sphere))
    torch.testing.assert_close(shared + vertices[seen.image, 0] - torch.tensor(sphere[0]), places)


def test_images_are_drawn_over_others() -> None:
    seen = rasterise_batch(place_figures(), FIGURE_FACES, CAMERAS, SIZE)
    behind = torch.rand(3, 2, 48, 64)
    kept = behind.clone()
    drawn = seen.to_images(torch.full((len(seen.pixel), 2), 5.0), behind)
    mask = seen.to_images(torch.ones_like(seen.depth)) > 0
    torch.testing.assert_close(behind, kept)
    torch.testing.assert_close(drawn, torch.where(mask, 5.0, behind))


def test_nothing_in_view_is_an_empty_list() -> None:
    seen = rasterise_batch(
        FIGURE[None] - torch.tensor([0, 0, 9.0]), FIGURE_FACES, CAMERAS[0], SIZE
    )
    assert len(seen.pixel) == len(seen.barycentric) == 0
    assert not seen.to_images(seen.depth).any()


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"vertices must be \(b, v, 3\)"):
        rasterise_batch(FIGURE, FIGURE_FACES, CAMERAS[0], SIZE)
    with pytest.raises(ValueError, match=r"faces must be \(f, 3\)"):
        rasterise_batch(FIGURE[None], FIGURE_FACES[:, :2], CAMERAS[0], SIZE)


class WaitCounter(TorchDispatchMode):
    """Counts the operations whose result's size or value the host must wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = Counter[str]()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        name = str(func)
        if name.startswith(("aten.nonzero", "aten.repeat_interleave", "aten._local_scalar")):
            self.waits[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("images", [1, 8])
@pytest.mark.parametrize(("row", "waits"), [(0, 6), (1, 9)], ids=["whole", "clipped"])
def test_waits_do_not_grow_with_the_batch(images: int, row: int, waits: int) -> None:
    vertices = place_figures()[row].expand(images, -1, -1)
    with WaitCounter() as counter:
        rasterise_batch(vertices, FIGURE_FACES, CAMERAS[row], SIZE)
    assert counter.waits.total() == waits

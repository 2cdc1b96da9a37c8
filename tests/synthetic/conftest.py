"""The shipped body's arrays, and a figure of ellipsoids to render, with clothes and light."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from smpler_model.body.builtin import BUILTIN_BODY_PATH
from synthetic.camera.photograph import Wardrobe
from synthetic.noise import make_volume
from synthetic.people.appearance import Atlas, Outfit, draw_outfits, make_atlas
from synthetic.world.lighting import Lights, draw_lights
from tests.shapes import make_figure
from tests.synthetic.body.body_geometry import Arrays

SIZE = 96


@dataclass(frozen=True)
class Studio:
    """Two images of one person each, seen upright from the front at 4 m."""

    wardrobe: Wardrobe
    atlas: Atlas
    volume: Tensor
    vertices_m: Tensor
    outfits: Outfit
    lights: Lights
    intrinsics: Tensor
    backdrop: Tensor
    weights: Tensor
    joints: Tensor
    template: Tensor


@pytest.fixture(scope="session")
def studio() -> Studio:
    generator = Generator().manual_seed(3)
    template, faces, weights, joints = make_figure()
    atlas = make_atlas(template, weights, joints)
    volume = make_volume(generator)
    facing = template * torch.tensor([-1.0, -1.0, -1.0]) * torch.tensor([-1.0, 1.0, 1.0])
    vertices = (facing + torch.tensor([0.0, -0.3, 4.0])).expand(2, 1, -1, 3)
    up = torch.tensor([[0.0, -1.0, 0.0]]).expand(2, 3)
    return Studio(
        wardrobe=Wardrobe(faces, atlas, volume),
        atlas=atlas,
        volume=volume,
        vertices_m=vertices,
        outfits=draw_outfits(2, generator),
        lights=draw_lights(up, generator),
        intrinsics=torch.tensor([[180.0, 180.0, 47.5, 47.5]]).expand(2, 4),
        backdrop=torch.rand(2, 3, SIZE, SIZE, generator=generator),
        weights=weights,
        joints=joints,
        template=template,
    )


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    with np.load(BUILTIN_BODY_PATH) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def template(arrays: Arrays) -> np.ndarray:
    return arrays["v_template"].astype(np.float64)


@pytest.fixture(scope="module")
def faces(arrays: Arrays) -> np.ndarray:
    return arrays["f"].astype(np.int64)

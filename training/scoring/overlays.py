"""Images of a network's results."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.drawing.shading import draw_people
from smpler_model.network.smpler import BackboneModel
from training.learning.objectives import normalise

COLOUR = (120, 170, 230)
_FOCAL_SIDES = 50.0  # a long focal length: nearly weak perspective


@torch.inference_mode()
def draw_overlays(model: BackboneModel, images: Tensor) -> NDArray[np.uint8]:
    """Draw each crop, and next to it the crop with the estimated body.

    Args:
        model: any model; it is evaluated and not modified.
        images: (b, 3, s, s) RGB, 0 to 255.

    Returns:
        (b s, 2 s, 3) uint8, one person per row.
    """
    was_training = model.training
    model.eval()
    output = model(normalise(images.to(next(model.parameters()).device), model))
    model.train(was_training)
    assert output.mesh is not None
    vertices, cameras, faces = (
        values.cpu().double().numpy()
        for values in (output.mesh.vertices, output.final.camera, model.body.faces)
    )
    crops = images.clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    rows = []
    for crop, surface, (scale, x, y) in zip(crops, vertices, cameras, strict=True):
        side = len(crop)
        focal = _FOCAL_SIDES * side
        depth = 2 * focal / (side * max(scale, 0.05))
        intrinsics = np.array([focal, focal, (side - 1) / 2, (side - 1) / 2])
        placed = surface + np.array([x, y, depth])
        drawn = draw_people(
            crop, placed[None], faces.astype(np.int64), intrinsics, np.array([COLOUR])
        )
        rows.append(np.concatenate((crop, drawn), 1))
    return np.concatenate(rows)

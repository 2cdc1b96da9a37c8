"""Files of synthetic crops: rendered once, read many times, and augmented each time."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from smpler_model.atomic_files import write_atomically
from smpler_model.body.skeleton import H36M_EVALUATED, MIRRORED_JOINTS
from smpler_model.network.geometry import rotation_to_ray
from synthetic.crops import CropRenderer, DrawnCrops, join_crops
from synthetic.people.poses import mirror_rotations
from training.data.image_changes import blank, hide_faces, tint

_HEAD_ROWS = [len(MIRRORED_JOINTS) + 12, len(MIRRORED_JOINTS) + 13]
"""Neck and top of the head among a batch's keypoints."""

MIRRORED_EVALUATED = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)
"""The evaluated joint on the other side of the body, for each of the 14."""

_RENDER_BATCH = 16
_STORED = ("images", "rotations", "betas", "keypoints", "intrinsics")


@dataclass(frozen=True)
class Batch:
    """b crops for training.

    Attributes:
        images: (b, 3, s, s) RGB, 0 to 255, float32.
        rotations: (b, 24, 3, 3), the pelvis's in the camera's frame.
        betas: (b, 10).
        keypoints: (b, 24 + 14, 2) joints of the chain, then the evaluated ones.
        windows: (b, 3) the crop's centre and side, as x / z and y / z in the camera's frame.
    """

    images: Tensor
    rotations: Tensor
    betas: Tensor
    keypoints: Tensor
    windows: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def turns(self) -> Tensor:
        """(b, 3, 3) rotations from cameras that look at the crops' centres to the camera."""
        centres = self.windows[:, :2]
        return rotation_to_ray(torch.cat((centres, torch.ones_like(centres[:, :1])), 1))

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(*(values.to(device, non_blocking=True) for values in vars(self).values()))


class CropFiles:
    """The crops of several files, in memory."""

    def __init__(self, paths: list[Path]) -> None:
        """Read files written by `render_file`.

        Raises:
            FileNotFoundError: one of them is missing.
        """
        missing = [path for path in paths if not path.is_file()]
        if missing or not paths:
            raise FileNotFoundError(
                f"crops must have been rendered, got no {missing[0] if missing else 'files'}; run "
                "python -m training.data.render_crops with the same configuration"
            )
        parts = []
        for path in paths:
            with np.load(path, allow_pickle=False) as archive:
                parts.append([archive[name] for name in _STORED])
        self._arrays = [torch.from_numpy(np.concatenate(a)) for a in zip(*parts, strict=True)]

    def __len__(self) -> int:
        return len(self._arrays[0])

    def batch(self, rows: Tensor) -> Batch:
        """Return crops by row (b,)."""
        return _prepare(dict(zip(_STORED, (a[rows] for a in self._arrays), strict=True)))


def batch_of(crops: DrawnCrops) -> Batch:
    """Return rendered crops as a training batch."""
    return _prepare({name: getattr(crops, name) for name in _STORED})


def render_file(renderer: CropRenderer, path: Path, seed: int, crops: int) -> None:
    """Render a file of crops and write it atomically."""
    generator = Generator().manual_seed(seed)
    sizes = [_RENDER_BATCH] * (crops // _RENDER_BATCH) + [crops % _RENDER_BATCH]
    drawn = join_crops([renderer.draw_seen(size, generator) for size in sizes if size])
    arrays = {name: getattr(drawn, name).numpy() for name in _STORED}
    write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def shard_path(folder: Path, seed: int) -> Path:
    """Return the path of the file with a seed's crops."""
    return folder / f"{seed:07d}.npz"


def augment(
    batch: Batch,
    generator: Generator,
    *,
    colour: float,
    cutout: float,
    hidden_faces: float = 0.0,
    shift: int = 0,
) -> Batch:
    """Mirror half of the crops, hide faces, change colours, blank rectangles, shift them.

    Args:
        batch: the crops, which are not modified.
        generator: generator on the CPU.
        colour: largest relative change of each channel.
        cutout: probability that a rectangle of a crop is blanked.
        hidden_faces: probability that a face is pixelated.
        shift: largest shift of a crop in each direction, pixels.
    """
    chosen = torch.rand(len(batch), generator=generator) < 0.5
    shown = batch.images
    if hidden_faces:
        heads = batch.keypoints[:, _HEAD_ROWS]
        heads = torch.cat((heads, torch.ones_like(heads[..., :1])), -1)
        shown = hide_faces(shown, heads, generator, hidden_faces)
    images = torch.where(chosen[:, None, None, None], shown.flip(-1), shown)
    images = blank(tint(images, generator, colour), generator, cutout)
    mirrored = mirror(batch)

    def choose(yes: Tensor, no: Tensor) -> Tensor:
        return torch.where(chosen.reshape(-1, *(1,) * (no.ndim - 1)), yes, no)

    changed = Batch(
        images,
        choose(mirrored.rotations, batch.rotations),
        batch.betas,
        choose(mirrored.keypoints, batch.keypoints),
        choose(mirrored.windows, batch.windows),
    )
    if not shift:
        return changed
    return move(changed, torch.randint(-shift, shift + 1, (len(batch), 2), generator=generator))


def move(batch: Batch, pixels: Tensor) -> Batch:
    """Shift the contents of crops right and down by (b, 2) pixels.

    Uncovered areas repeat the pixels at the edge.
    """
    side = batch.images.shape[-1]
    rows = torch.arange(len(pixels))[:, None, None]
    centres, sides = batch.windows[:, :2], batch.windows[:, 2:]
    from_pixel = torch.arange(side) - pixels[..., None]  # (b, 2, side)
    across, down = from_pixel.clamp(0, side - 1).unbind(1)
    channels_first = batch.images.movedim(0, -3)
    return replace(
        batch,
        images=channels_first[..., rows, down[:, :, None], across[:, None]].movedim(-3, 0),
        keypoints=batch.keypoints + (2 / side) * pixels[:, None],
        windows=torch.cat((centres - pixels * (sides / side), sides), 1),
    )


def mirror(batch: Batch) -> Batch:
    """Return mirrored crops: left limbs become right ones."""
    k = len(MIRRORED_JOINTS)
    keypoint_rows = [*MIRRORED_JOINTS, *(k + row for row in MIRRORED_EVALUATED)]
    return Batch(
        batch.images.flip(-1),
        mirror_rotations(batch.rotations),
        batch.betas,
        batch.keypoints[:, keypoint_rows] * torch.tensor([-1.0, 1.0]),
        batch.windows * torch.tensor([-1.0, 1.0, 1.0]),
    )


def _prepare(stored: dict[str, Tensor]) -> Batch:
    k = len(MIRRORED_JOINTS)
    chain, h36m = stored["keypoints"][:, :k], stored["keypoints"][:, k:]
    return Batch(
        stored["images"].float(),
        stored["rotations"],
        stored["betas"],
        torch.cat((chain, h36m[:, H36M_EVALUATED]), 1),
        _windows(stored["intrinsics"], stored["images"].shape[-1]),
    )


def _windows(intrinsics: Tensor, side: int) -> Tensor:
    """Return `Batch.windows` for crops with intrinsics (b, 4) fx, fy, cx, cy."""
    focal, principal = intrinsics[:, :1], intrinsics[:, 2:]
    return torch.cat(((side - 1) / 2 - principal, torch.full_like(focal, side)), 1) / focal

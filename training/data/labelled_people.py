"""Batches of labelled people."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.array_types import Floats


@dataclass(frozen=True, eq=False)
class LabelledPerson:
    """One labelled person of a data set.

    Attributes:
        key: key of the row.
        row: number of the row in the data set.
        gender: `male`, `female` or `none`.
        image: (3, s, s) float32 RGB crop, 0 to 255.
        keypoints: (24, 3) `skeleton.LABELLED_JOINTS` in the crop, [-1, 1], with confidence.
        joints: (24, 4) the same in space, m, relative to the labelled pelvis, with confidence.
        pose: (72,) axis-angle vectors of SMPL's joints, rad.
        betas: (10,).
        has_smpl: 1 if pose and betas are labelled, else 0.
        has_joints: 1 if joints in space are labelled, else 0.
    """

    key: str
    row: int
    gender: str
    image: NDArray[np.float32]
    keypoints: Floats
    joints: Floats
    pose: Floats
    betas: Floats
    has_smpl: float
    has_joints: float


@dataclass(frozen=True)
class Fault:
    """An unreadable row, and the reason."""

    row: int
    reason: str


@dataclass(frozen=True, eq=False)
class LabelledPeople:
    """b labelled people; the fields of `LabelledPerson` with b in front, and the unreadable rows.

    Attributes:
        faults: unreadable rows; they are not among the b.
    """

    keys: tuple[str, ...]
    genders: tuple[str, ...]
    rows: Tensor
    images: Tensor
    keypoints: Tensor
    joints: Tensor
    pose: Tensor
    betas: Tensor
    has_smpl: Tensor
    has_joints: Tensor
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "LabelledPeople":
        """Return the batch on a device, with numbers of this type."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            if isinstance(values, Tensor):
                kind = dtype if values.is_floating_point() else values.dtype
                moved[field.name] = values.to(device, kind, non_blocking=True)
        return replace(self, **moved)

    def pin_memory(self) -> "LabelledPeople":
        """Return the batch in pinned memory, from which a GPU copies while it computes.

        `DataLoader` calls this; objects without the method are not pinned.
        """
        tensors = {
            field.name: getattr(self, field.name).pin_memory()
            for field in fields(self)
            if isinstance(getattr(self, field.name), Tensor)
        }
        return replace(self, **tensors)

    def split(self, size: int) -> list["LabelledPeople"]:
        """Return parts of at most `size` people, in order; the first has the faults."""
        parts = []
        for start in range(0, len(self), size):
            cut = slice(start, start + size)
            values = {field.name: getattr(self, field.name)[cut] for field in fields(self)[:-1]}
            parts.append(LabelledPeople(**values, faults=self.faults if start == 0 else ()))
        return parts


def collate(items: Sequence[LabelledPerson | Fault], size: int = 0) -> LabelledPeople:
    """Stack people; faults are kept separately.

    Args:
        items: items of a data set.
        size: side of the images, for an empty batch.
    """
    people = [item for item in items if isinstance(item, LabelledPerson)]

    def stack(name: str, *empty: int) -> Tensor:
        if not people:
            return torch.zeros(0, *empty)
        arrays = np.stack([getattr(person, name) for person in people])
        return torch.from_numpy(arrays.astype(np.float32))

    return LabelledPeople(
        keys=tuple(person.key for person in people),
        genders=tuple(person.gender for person in people),
        rows=torch.tensor([person.row for person in people], dtype=torch.int64),
        images=stack("image", 3, size, size),
        keypoints=stack("keypoints", 24, 3),
        joints=stack("joints", 24, 4),
        pose=stack("pose", 72),
        betas=stack("betas", 10),
        has_smpl=stack("has_smpl"),
        has_joints=stack("has_joints"),
        faults=tuple(item for item in items if isinstance(item, Fault)),
    )

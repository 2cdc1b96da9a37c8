"""Runs the network on crops of people: arrays in, arrays out."""

import copy
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_VERTEX_COUNT
from smpler_model.inference.backends import Backend, Precision, build_runner, choose
from smpler_model.inference.cached_memory import give_back_memory
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.inference.cuda_graphs import BUCKETS, PixelArray
from smpler_model.inference.device_memory import (
    DeviceMemoryError,
    explain_memory,
    lacks_engine,
)
from smpler_model.inference.fast_network import OUTPUT_SHAPES
from smpler_model.inference.float32 import whole_float32
from smpler_model.inference.runners import OUTPUT_SIZE
from smpler_model.network.smpler import JOINT_COUNT, Smpler

logger = logging.getLogger(__name__)

_LEAST_CHANGE_M = 1e-4


@dataclass(frozen=True)
class Estimates:
    """Outputs of the network for n crops; see `estimates.Stage` for the frames.

    The network assumes that the optical axis passes through each crop's centre.

    Attributes:
        rotations: (n, 24, 3, 3).
        betas: (n, 10).
        cameras: (n, 3) weak perspective (s, tx, ty).
        joints_m: (n, 24, 3) before translation.
        keypoints: (n, 24, 2) in [-1, 1] over the crop.
        changes_m: (n, 24) how far the last block moved each joint against the pelvis.
    """

    rotations: Floats
    betas: Floats
    cameras: Floats
    joints_m: Floats
    keypoints: Floats
    changes_m: Floats

    def __len__(self) -> int:
        return len(self.betas)

    def __getitem__(self, rows: slice | NDArray[np.bool_ | np.intp]) -> "Estimates":
        """Return the given rows."""
        return Estimates(*(getattr(self, field.name)[rows] for field in fields(self)))

    def turned(self, turns: Floats) -> "Estimates":
        """Return the people rotated about their pelvises by (n, 3, 3) rotations."""
        rotations = self.rotations.copy()
        rotations[:, 0] = turns @ rotations[:, 0]
        pelvises_m = self.joints_m[:, :1]
        joints_m = (self.joints_m - pelvises_m) @ turns.swapaxes(-1, -2) + pelvises_m
        return replace(self, rotations=rotations, joints_m=joints_m)


def measure_usual_change(drawn: Sequence[Estimates]) -> float:
    """Return the median change of all joints but the pelvises, metres.

    Networks differ in how much their last refinement still moves; what is unusual is relative.

    Args:
        drawn: estimates of the shipped crops of drawn people.
    """
    changes_m = np.concatenate([estimates.changes_m[:, 1:] for estimates in drawn])
    finite = changes_m[np.isfinite(changes_m)]
    return max(float(np.median(finite)) if finite.size else 0.0, _LEAST_CHANGE_M)


def _unpack(packed: NDArray[np.float32]) -> Estimates:
    """Return the estimates in (n, OUTPUT_SIZE) numbers."""
    sizes = [int(np.prod(shape)) for shape in OUTPUT_SHAPES.values()]
    parts = np.split(packed.astype(np.float64), np.cumsum(sizes)[:-1], axis=1)
    shapes = OUTPUT_SHAPES.values()
    return Estimates(*(p.reshape(-1, *s) for p, s in zip(parts, shapes, strict=True)))


def batch_sizes(people: int) -> list[int]:
    """Return a size for each bucket that up to this many people need, the largest first.

    Smaller graphs find room in what the largest has taken.
    """
    return sorted({min(count, people) for count in BUCKETS}, reverse=True)


class Estimator:
    """A network in evaluation mode on its device.

    Attributes:
        model: the network; `joints` and `vertices` use its body.
        device: device of the network.
        side: side of the crops, pixels.
        choice: backend, device and precision, see `backends`.
    """

    def __init__(
        self,
        model: Smpler,
        device: str | torch.device = "cpu",
        *,
        backend: Backend = "auto",
        precision: Precision = "auto",
        exported: Path | None = None,
        usual_change_m: float | None = None,
    ) -> None:
        """Prepare a network; `warm_up` does what would delay the first frames.

        Args:
            model: put into evaluation mode, and moved to the device by the backend `plain`.
            device: device to run on.
            backend: backend that runs it; `auto` chooses the fastest that is installed.
            precision: `half` computes feature maps in half precision; `auto` does so on a GPU.
            exported: an ONNX file exported from this model, for `onnxruntime`.
            usual_change_m: the property, if it is known.

        Raises:
            ValueError: an unknown name, a missing package, or options that exclude each other.
            DeviceMemoryError: the network does not fit into the device's memory.
        """
        self.device = torch.device(device)
        self.choice = choose(model, self.device, backend, precision, exported)
        self.side = model.config.image_size
        self.model = model.eval()
        # Joints are few: a CPU poses them before a GPU would have answered.
        self._joints_body = copy.deepcopy(model.body).cpu()
        with self._explain_memory():
            self._mesh_body = copy.deepcopy(model.body).to(self.device)
            self._runner = build_runner(self.model, self.choice)
        self._most = BUCKETS[-1]  # largest batch
        self._usual_change_m = usual_change_m

    @property
    def backend(self) -> Backend:
        """Name of the backend."""
        return self.choice.backend

    @property
    def usual_change_m(self) -> float:
        """How far the last refinement moves a joint of a drawn person, metres.

        It is measured on the first use if it was not given; see `measure_usual_change`.
        """
        if self._usual_change_m is None:
            with torch.inference_mode():  # one by one, as it is unknown how many fit into memory
                drawn = [_unpack(self._run(crop[None])) for crop in load_check_crops(self.side)]
            self._usual_change_m = measure_usual_change(drawn)
        return self._usual_change_m

    @torch.inference_mode()
    def warm_up(self, people: int) -> None:
        """Allocate memory and prepare kernels for up to this number of people."""
        for count in batch_sizes(people):
            self._run(np.zeros((count, self.side, self.side, 3), np.uint8))

    @torch.inference_mode()
    def estimate(self, crops: PixelArray) -> Estimates:
        """Estimate the person in each of (n, side, side, 3) uint8 RGB crops.

        Args:
            crops: in the host's memory or, as a tensor, on any device.

        Raises:
            DeviceMemoryError: the device's memory does not suffice for one person.
        """
        return _unpack(self._run(crops))

    @torch.inference_mode()
    def joints(self, rotations: Floats, betas: Floats) -> Floats:
        """Pose bodies: (n, 24, 3, 3) and (n, 10) -> (n, 24, 3) joints before translation."""
        if len(betas) == 0:
            return np.empty((0, JOINT_COUNT, 3))
        with self._explain_memory():
            pose = (torch.from_numpy(array).float() for array in (rotations, betas))
            return np.asarray(self._joints_body.joints(*pose).double().numpy())

    @torch.inference_mode()
    def vertices(self, rotations: Floats, betas: Floats) -> NDArray[np.float32]:
        """Pose bodies: (n, 24, 3, 3) and (n, 10) -> (n, 6890, 3) before translation."""
        if len(betas) == 0:
            return np.empty((0, SMPL_VERTEX_COUNT, 3), np.float32)
        with self._explain_memory(), whole_float32():
            mesh = self._mesh_body.mesh(self._tensor(rotations), self._tensor(betas))
            return np.asarray(mesh.vertices.float().cpu().numpy())

    def _run(self, crops: PixelArray) -> NDArray[np.float32]:
        """Run on all crops, in batches as large as the memory allows: (n, OUTPUT_SIZE)."""
        done = 0
        rows = [np.empty((0, OUTPUT_SIZE), np.float32)]
        while done < len(crops):
            some = crops[done : done + self._most]
            found = self._try(some)
            if isinstance(found, str):
                self._take_fewer(len(some), found)
                continue
            rows.append(found)
            done += len(some)
        return np.concatenate(rows)

    def _try(self, crops: PixelArray) -> NDArray[np.float32] | str:
        """Run on crops; return why not if fewer may run: then the error holds no memory."""
        try:
            with self._explain_memory():
                return self._runner.run(crops)
        except (DeviceMemoryError, RuntimeError) as error:
            is_memory = isinstance(error, DeviceMemoryError)
            if len(crops) == 1 or not (is_memory or lacks_engine(error)):
                raise
            return (
                f"do not fit into the memory of {self.device}"
                if is_memory
                else (f"are more than cuDNN finds a kernel for on {self.device}")
            )

    def _explain_memory(self) -> AbstractContextManager[None]:
        return explain_memory("the network", self.device, "choose a smaller model")

    def _take_fewer(self, people: int, why: str) -> None:
        """Halve the largest batch from now on."""
        self._most = people // 2
        self._runner.release()
        give_back_memory(self.device)
        logger.warning(
            "%d people %s; from now on batches have at most %d", people, why, self._most
        )

    def _tensor(self, array: Floats) -> torch.Tensor:
        """Return an array as float32 on the device; on a GPU nothing waits for it."""
        staged = torch.from_numpy(array).to(torch.float32)
        if self.device.type == "cuda":
            staged = staged.pin_memory()
        return staged.to(self.device, non_blocking=True)

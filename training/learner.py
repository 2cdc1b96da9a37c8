"""A network with all that training changes: one step, and its state to stop and go on with."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from smpler_model.body_arrays import BodyArrays
from smpler_model.config import find_model
from smpler_model.models import build_model
from smpler_model.network import Smpler
from smpler_model.types import Stage
from training.crop_files import Batch
from training.dense import DenseHead
from training.losses import Losses, compare, full_labels
from training.settings import TrainSettings
from training.surface import SampledSurface

BYTES = 255.0


class Learner:
    """Network, dense head, optimiser and the running mean of the network's weights."""

    def __init__(self, settings: TrainSettings, arrays: BodyArrays) -> None:
        """Build everything from the run's seed."""
        torch.manual_seed(settings.seed)
        self.settings = settings
        config = find_model(settings.model)
        self.model = build_model(config, arrays).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dense = DenseHead(config.channels[0])
        self.surface = SampledSurface(self.model.body, settings.vertex_step)
        self.mean_model: Smpler = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.trained = [*self.model.parameters(), *self.dense.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.trained, settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.step_count = 0

    def step(self, batch: Batch) -> dict[str, float]:
        """Learn from one batch; return the loss' terms before that."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.model.train()
        stages, finest = self._run(batch)
        labels = full_labels(len(batch), batch.keypoints.shape[1])
        with torch.no_grad():
            target = self.surface.compared(batch.rotations, batch.betas, None, batch.keypoints)
        each = []
        for stage in stages:
            posed = self.surface.compared(stage.rotations, stage.betas, stage.camera, None)
            each.append(compare(posed, target, labels, self.settings.weights))
        dense = self.settings.dense_weight * self.dense(finest, batch)
        loss = self._weigh(each) + dense
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self.optimiser.step()
        self.step_count += 1
        self._follow()
        return each[-1].numbers() | {"dense": float(dense.detach())}

    def learning_rate(self) -> float:
        """Rise over the warm-up, then fall as half a cosine."""
        s = self.settings
        rise = min(1.0, (self.step_count + 1) / max(s.warm_up, 1))
        fall = 0.5 * (1 + math.cos(math.pi * self.step_count / s.steps))
        return s.learning_rate * rise * (0.01 + 0.99 * fall)

    def state(self) -> dict[str, Any]:
        """Return what `load_state` needs to go on as if there had been no stop."""
        return {
            "model": self.model.state_dict(),
            "mean_model": self.mean_model.state_dict(),
            "dense": self.dense.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step_count,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(state["model"])
        self.mean_model.load_state_dict(state["mean_model"])
        self.dense.load_state_dict(state["dense"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step_count = state["step"]

    def _run(self, batch: Batch) -> tuple[list[Stage], Tensor]:
        """Return the stages that learn, in float32, and the finest features."""
        model = self.model
        images = normalise(batch.images, model)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.autocast != "none"):
            features = model.backbone(images)
        features = [feature.float() for feature in features]
        # What follows stays in float32: eight bits cannot hold a rotation.
        if self.step_count < self.settings.first_guess_share * self.settings.steps:
            return [model.guess(features)], features[0]
        return model.refine(features), features[0]

    def _weigh(self, each: list[Losses]) -> Tensor:
        """Return the mean of the stages' losses, the last of weight one."""
        weights = [self.settings.stage_weight] * (len(each) - 1) + [1.0]
        total = torch.stack([w * e.total for w, e in zip(weights, each, strict=True)]).sum()
        return total / sum(weights)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the mean weights towards the present ones, quickly while there are few steps."""
        decay = min(self.settings.ema, (1 + self.step_count) / (10 + self.step_count))
        present = self.model.state_dict()
        for name, mean in self.mean_model.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(present[name], 1 - decay)
            else:
                mean.copy_(present[name])


def normalise(images: Tensor, model: Smpler) -> Tensor:
    """Return (b, 3, s, s) RGB from 0 to 255 as the network wants it."""
    mean, std = (
        BYTES * images.new_tensor(values)[:, None, None]
        for values in (model.config.mean, model.config.std)
    )
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

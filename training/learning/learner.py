"""The state of training: one step, and saving and restoring everything that it changes."""

import copy
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Generic

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from smpler_model.network.smpler import BackboneModel, Smpler
from training.learning.losses import Counts
from training.learning.objectives import Examples, Objective, ObjectiveModule
from training.learning.optimisers import make_optimisers
from training.learning.processes import Processes, choose_products, share_batch_norms
from training.learning.trained_weights import hold_others, keep_still
from training.settings import TrainSettings

_EXPLOSION = 1e3
"""A loss this many times the usual one stops a run."""

_MEMORY = 0.1
"""Weight of each step's loss in the moving average."""


class Learner(Generic[Examples]):
    """Objective, optimisers and the moving average of the network's weights."""

    def __init__(
        self,
        settings: TrainSettings,
        objective: ObjectiveModule[Examples],
        processes: Processes,
        steps: int,
    ) -> None:
        """Move an objective from the CPU to its device.

        Args:
            settings: settings of the run.
            objective: objective with the initial weights.
            processes: distributed training processes.
            steps: total number of updates, for the learning rate schedule.
        """
        self.settings: TrainSettings = settings
        self.processes: Processes = processes
        self.steps: int = steps
        self.objective: ObjectiveModule[Examples] = objective.to(processes.device)
        hold_others(objective.model, settings.trained)
        if settings.channels_last:
            objective.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean_model: BackboneModel = self._copy_model() if settings.ema else objective.model
        if processes.count > 1 and settings.sync_batch_norm:
            share_batch_norms(objective, processes.device)
        if settings.compile:
            objective.model.backbone.compile()
        self._callable: nn.Module = self._distribute()
        self.trained: list[nn.Parameter] = [
            weights for weights in objective.parameters() if weights.requires_grad
        ]
        self.optimisers: list[torch.optim.Optimizer] = make_optimisers(settings, objective.model)
        half = settings.autocast != "none" and settings.autocast_type == "float16"
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=half)
        self.step_count = 0
        self._usual_loss = math.inf
        choose_products(tf32=settings.tf32)

    @property
    def model(self) -> BackboneModel:
        """The network in training."""
        model: BackboneModel = self.objective.model
        return model

    def step(self, batches: Sequence[Examples]) -> dict[str, float]:
        """Update the weights from this process's batches; return the loss terms before the update.

        Args:
            batches: one for each forward pass; the weights are updated once.

        Raises:
            FloatingPointError: the loss is not finite, or exploded. The weights are unchanged.
        """
        factor = self.learning_rate_factor()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
        # Dropout depends on seed, step and process alone, so that a resumed run draws the same.
        torch.manual_seed(
            (self.settings.seed * 8191 + self.step_count) * 4096 + self.processes.rank
        )
        self.objective.train()
        keep_still(self.model, self.settings.trained)
        if self.settings.still_share:
            self._hold_backbone()
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        losses = []
        for number, batch in enumerate(batches):
            found = self._backward(batch, len(batches), is_last=number == len(batches) - 1)
            losses.append(found.loss.detach())
            for name, value in found.terms.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value / len(batches)
        numbers = self._numbers(sums)
        self._check_course(float(self.processes.mean(torch.stack(losses).mean())))
        self._update()
        self.step_count += 1
        self._follow()
        return numbers

    def learning_rate_factor(self) -> float:
        """Linear warm-up; then constant, or a half cosine."""
        s = self.settings
        rise = min(1.0, (self.step_count + 1) / max(s.warm_up, 1))
        if s.schedule == "constant":
            return rise
        fall = 0.5 * (1 + math.cos(math.pi * self.step_count / self.steps))
        return rise * (0.01 + 0.99 * fall)

    def is_still(self) -> bool:
        """Return whether the backbone is frozen in the current step."""
        return self.step_count / self.steps < self.settings.still_share

    def _hold_backbone(self) -> None:
        self.model.backbone.requires_grad_(not self.is_still())
        if not self.is_still():
            hold_others(self.model, self.settings.trained)

    def state(self) -> dict[str, Any]:
        """Return everything that `load_state` needs to resume exactly."""
        return {
            "objective": self.objective.state_dict(),
            "mean_model": self.mean_model.state_dict() if self.settings.ema else {},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "scaler": self.scaler.state_dict(),
            "step": self.step_count,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        self.objective.load_state_dict(state["objective"])
        if self.settings.ema:
            self.mean_model.load_state_dict(state["mean_model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.scaler.load_state_dict(state["scaler"])
        self.step_count = state["step"]

    def _copy_model(self) -> BackboneModel:
        copied: BackboneModel = copy.deepcopy(self.model).eval().requires_grad_(False)
        return copied

    def _distribute(self) -> nn.Module:
        if self.processes.count == 1:
            whole: nn.Module = self.objective
            return whole
        # Without the Transformer the finer maps of the backbone's last stage are unused, and the
        # backbone may be frozen at the start: these weights get no gradient.
        learns_whole = isinstance(self.model, Smpler) and not self.settings.still_share
        return DistributedDataParallel(
            self.objective, broadcast_buffers=False, find_unused_parameters=not learns_whole
        )

    def _backward(self, batch: Examples, parts: int, *, is_last: bool) -> Objective:
        """Accumulate the gradient of one batch; ranks synchronise at the last batch of a step."""
        counts = self._count(batch)
        if isinstance(self._callable, DistributedDataParallel):
            self._callable.require_backward_grad_sync = is_last
        found: Objective = self._callable(batch, counts)
        self.scaler.scale(found.loss / parts).backward()  # type: ignore[no-untyped-call]
        return found

    def _count(self, batch: Examples) -> Counts:
        own = self.objective.count(batch)
        values = torch.stack([getattr(own, field.name).float() for field in fields(Counts)])
        return Counts(*self.processes.mean(values).to(own.people.dtype).unbind())

    def _numbers(self, sums: dict[str, Tensor]) -> dict[str, float]:
        means = self.processes.mean(torch.stack(list(sums.values())))
        numbers = dict(zip(sums, means.tolist(), strict=True))
        broken = [name for name, value in numbers.items() if not math.isfinite(value)]
        if broken:
            raise FloatingPointError(
                f"the loss must be finite, got {numbers} in step {self.step_count}; lower the "
                "learning rate, or look for labels that are out of range"
            )
        return numbers

    def _check_course(self, loss: float) -> None:
        """Compare a loss with the moving average, and update the average.

        Raises:
            FloatingPointError: it is many times the average, or not a number.
        """
        usual = loss if math.isinf(self._usual_loss) else self._usual_loss
        if not loss <= _EXPLOSION * usual:
            raise FloatingPointError(
                f"the loss must stay near {usual:.3g}, got {loss:.3g} in step "
                f"{self.step_count}; lower the learning rate, or look for labels that are out of "
                "range, and start again to resume from the last checkpoint"
            )
        self._usual_loss = usual + _MEMORY * (loss - usual)

    def _update(self) -> None:
        if self.settings.clip:
            for optimiser in self.optimisers:
                self.scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        for optimiser in self.optimisers:
            self.scaler.step(optimiser)
        self.scaler.update()

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the averaged weights, faster while there are few steps."""
        if not self.settings.ema:
            return
        decay = min(self.settings.ema, (1 + self.step_count) / (10 + self.step_count))
        mean, present = self.mean_model.state_dict(), self.model.state_dict()
        moving = [name for name, values in mean.items() if values.is_floating_point()]
        # One call for all: there are hundreds of small tensors.
        torch._foreach_lerp_([mean[n] for n in moving], [present[n] for n in moving], 1 - decay)
        for name in mean.keys() - set(moving):
            mean[name].copy_(present[name])

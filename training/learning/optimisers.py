"""Which optimiser trains which weights, at which rates."""

import torch

from smpler_model.network.smpler import BackboneModel
from training.learning.muon import Muon, find_matrices
from training.learning.weight_sizes import find_size
from training.settings import TrainSettings


def make_optimisers(settings: TrainSettings, model: BackboneModel) -> list[torch.optim.Optimizer]:
    """Share the weights that are trained among optimisers; groups hold their peak rates."""
    named = [pair for pair in model.named_parameters() if pair[1].requires_grad]
    reading = [w for name, w in named if _is_head(name) and not _corrects(name)]
    correcting = [w for name, w in named if _corrects(name)]
    seeing = [w for name, w in named if not _is_head(name)]
    head_rate = settings.head_learning_rate or settings.learning_rate
    peaks = [(reading, head_rate), (correcting, settings.correction_rate * head_rate)]
    if settings.relative_rates:
        peaks += [([w], settings.learning_rate * find_size(w)) for w in seeing]
    else:
        peaks.append((seeing, settings.learning_rate))
    matrices = find_matrices(model) if settings.optimiser == "muon" else set()
    adamw, muon = (
        [
            {"params": chosen, "peak": peak}
            for weights, peak in peaks
            if (chosen := [w for w in weights if (w in matrices) == is_muon])
        ]
        for is_muon in (False, True)
    )
    rate, decay = settings.learning_rate, settings.weight_decay
    optimisers: list[torch.optim.Optimizer] = []
    if adamw:
        optimisers.append(torch.optim.AdamW(adamw, rate, weight_decay=decay, fused=True))
    if muon:
        optimisers.append(Muon(muon, rate, weight_decay=decay))
    return optimisers


def _is_head(name: str) -> bool:
    return not name.startswith("backbone.")


def _corrects(name: str) -> bool:
    """Return whether weights belong to a layer that corrects an estimate."""
    return _is_head(name) and "_delta." in name

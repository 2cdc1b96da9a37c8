"""Optimises the network's pyramid and heads, on the features of its frozen layers."""

import logging
import math

import torch
from torch import Tensor
from tqdm import tqdm

from smpler_model.detectors.person_network import PersonNetwork
from training.detection.features import KEYPOINTS_FROM, Features
from training.detection.losses import box_loss, centre_loss, keypoint_loss
from training.detection.settings import PersonTrainSettings
from training.learning.weight_sizes import find_size

_WARM_UP = 0.1  # of the updates
_LARGEST_GRADIENT = 1.0

logger = logging.getLogger(__name__)


def trainable_weights(network: PersonNetwork) -> list[torch.nn.Parameter]:
    """Return the trainable weights: those of the pyramid and of the heads."""
    parts = (
        *(network.top, network.laterals, network.merges),
        *(network.centre, network.size, network.offset, network.keypoints),
    )
    return [weights for part in parts for weights in part.parameters()]


def compute_loss(
    network: PersonNetwork, features: Features, settings: PersonTrainSettings
) -> Tensor:
    """Return the loss of some images."""
    maps = network.predict(features.coarsest, features.finer)
    return (
        centre_loss(maps[:, 0], features.targets)
        + settings.size_weight * box_loss(maps[:, 1:KEYPOINTS_FROM], features.targets)
        + settings.keypoint_weight * keypoint_loss(maps[:, KEYPOINTS_FROM:], features.keypoints)
    )


def learn(network: PersonNetwork, features: Features, settings: PersonTrainSettings) -> None:
    """Update the network."""
    generator = torch.Generator().manual_seed(settings.seed)
    weights = trainable_weights(network)
    groups = [
        {"params": [each], "lr": settings.learning_rate * find_size(each)} for each in weights
    ]
    optimiser = torch.optim.Adam(groups)
    batches = math.ceil(len(features) / settings.batch)
    total = settings.epochs * batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / total))
    for epoch in tqdm(range(settings.epochs), desc="epochs"):
        losses = []
        for rows in torch.randperm(len(features), generator=generator).chunk(batches):
            loss = compute_loss(network, features.select(rows), settings)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        logger.info("epoch %d: loss %.3f", epoch + 1, sum(losses) / len(losses))


def _rate(progress: float) -> float:
    """Return the learning rate over its peak: a linear warm-up, then half a cosine."""
    return min(progress / _WARM_UP, 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0)))

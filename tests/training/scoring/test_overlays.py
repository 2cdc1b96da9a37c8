from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from smpler_model.network.smpler import Smpler
from training.scoring.overlays import COLOUR, draw_overlays
from training.settings import TrainSettings
from training.train import Run


def test_bodies_are_drawn_next_to_their_crops(nano: Smpler) -> None:
    side = nano.config.image_size
    images = torch.full((2, 3, side, side), 30.0)
    picture = draw_overlays(nano, images)
    assert picture.shape == (2 * side, 2 * side, 3)
    assert (picture[:, :side] == 30).all()
    drawn = (picture[:, side:] != 30).any(-1)
    assert 0.02 < drawn.mean() < 0.9
    ratio = picture[:, side:][drawn].mean(0) / COLOUR
    assert ratio[2] == pytest.approx(ratio[0], rel=0.35)


@pytest.mark.slow
def test_training_writes_tensorboard_events(settings: TrainSettings) -> None:
    Run(settings).train()
    events = EventAccumulator(str(Path(settings.output)))
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    assert {
        *("training/total", "training/learning rate", "training/people a second"),
        *("error/MPJPE", "error/PA-MPJPE", "error/MPVE"),
    } <= scalars
    assert [image.step for image in events.Images("overlays")] == [settings.steps]

"""Networks answer with each of a model's earlier estimates."""

from dataclasses import replace

import pytest
import torch

from benchmarks.real_people.stages import earlier_answers
from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import SMPLER_NANO
from tests.calibrated import calibrated_model
from training.scoring.stages import estimate_stages, name_stages

EARLIER = ["first guess", "block 1", "block 2"]


@pytest.mark.parametrize("aligns", [True, False])
@torch.inference_mode()
def test_each_answer_is_the_estimate_of_its_name(body_arrays: BodyArrays, aligns: bool) -> None:
    config = replace(SMPLER_NANO, limb_alignment=aligns, trunk_alignment=aligns)
    model = calibrated_model(config, body_arrays).eval()
    images = torch.rand(2, 3, config.image_size, config.image_size)
    stages = estimate_stages(model, images)
    answers = earlier_answers(model)
    assert list(answers) == (EARLIER if aligns else EARLIER[:-1])
    assert list(stages) == name_stages(model) == [*EARLIER, *["alignment"] * aligns]
    for name, answer in answers.items():
        found = answer.eval()(images, mesh=False).final
        torch.testing.assert_close(found.joints, stages[name].joints)
    torch.testing.assert_close(
        model(images, mesh=False).final.joints, list(stages.values())[-1].joints
    )
    joints = torch.stack([stage.joints for stage in stages.values()])
    assert (joints[1:] - joints[:-1]).abs().amax((1, 2, 3)).min() > 1e-4, "stages differ"

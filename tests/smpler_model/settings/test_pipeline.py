from typing import get_args

from smpler_model.body import smpl_file
from smpler_model.inference.backends import BACKENDS, PRECISIONS
from smpler_model.settings.pipeline import Gender, PipelineSettings
from smpler_model.settings.setting import table_of


def test_choices_are_those_of_what_they_choose() -> None:
    choices = {each.name: each.choices for each in table_of(PipelineSettings)}
    assert choices["backend"] == BACKENDS
    assert choices["precision"] == PRECISIONS
    assert choices["gender"] == get_args(smpl_file.Gender) == get_args(Gender)

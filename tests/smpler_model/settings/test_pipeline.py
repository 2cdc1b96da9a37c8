from typing import get_args

from smpler_model.body import smpl_file
from smpler_model.cameras import encodings
from smpler_model.inference.backends import BACKENDS, PRECISIONS
from smpler_model.settings.pipeline import Gender, PipelineSettings, Yuv422
from smpler_model.settings.setting import table_of


def test_choices_equal_their_definitions() -> None:
    choices = {each.name: each.choices for each in table_of(PipelineSettings)}
    assert choices["backend"] == BACKENDS
    assert choices["precision"] == PRECISIONS
    assert choices["gender"] == get_args(smpl_file.Gender) == get_args(Gender)
    assert choices["yuv422"] == get_args(encodings.Yuv422) == get_args(Yuv422)
    assert PipelineSettings().yuv422 == encodings.DEFAULT_YUV422

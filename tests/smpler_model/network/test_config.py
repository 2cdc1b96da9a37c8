from dataclasses import replace

import pytest

from smpler_model.network.config import MODELS, SMPLER_W32, find_model


@pytest.mark.parametrize("name", list(MODELS))
def test_models_are_found_by_name(name: str) -> None:
    assert find_model(name) == MODELS[name]
    assert find_model(name, attention="full") == replace(MODELS[name], attention="full")


def test_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"smpler_w32, smpler_w48, smpler_nano, got 'w32'"):
        find_model("w32")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"width": 130}, "multiple of heads, got 130 and 4", id="heads"),
        pytest.param({"image_size": 200}, "multiple of 32, got 200", id="image size"),
        pytest.param({"attention": "coupled"}, "'full', got 'coupled'", id="attention"),
    ],
)
def test_impossible_shapes_are_refused(change: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(SMPLER_W32, **change)


def test_maps_of_the_official_crop_have_the_paper_s_sizes() -> None:
    assert SMPLER_W32.feature_sizes == (56, 28, 14, 7)

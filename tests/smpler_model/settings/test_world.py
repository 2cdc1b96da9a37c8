import pytest

from smpler_model.settings.world import WorldSettings


@pytest.mark.parametrize(
    "values", [{"fixed_frame": "map"}, {"floor_from_feet": True}, {"use_floor": False}]
)
def test_a_floor_has_a_source(values: dict[str, object]) -> None:
    WorldSettings.from_values({"use_floor": True, **values}).check_use()


def test_a_floor_without_a_source_is_refused() -> None:
    """Only when all are set: they may be set one by one."""
    settings = WorldSettings(use_floor=True)
    with pytest.raises(ValueError, match="use_floor must come with fixed_frame, got none; set"):
        settings.check_use()

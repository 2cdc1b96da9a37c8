import pytest

from tests.fuzz.trial import try_target

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["checkpoints:checkpoint", "bodies:archive", "bodies:pickled"])
def test_hostile_weights(name: str) -> None:
    assert try_target(name) == []

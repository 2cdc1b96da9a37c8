from pathlib import Path

import pytest
import yaml

from smpler_model.settings.parameter_file import NODE_ONLY, read_parameter_file
from smpler_model.settings.run import RunSettings
from smpler_model.settings.setting import Setting, Settings, table_of
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.scene_settings import SceneSettings

OF_PIPELINES = (RunSettings, EvaluationSettings, NodeSettings)
NODE = {each.name: each.default for each in table_of(NodeSettings)}


@pytest.mark.parametrize("kind", [*OF_PIPELINES, SceneSettings])
def test_every_setting_has_a_description(kind: type[Settings]) -> None:
    kind()  # the defaults pass their own checks
    for each in table_of(kind):
        assert each.description[0].isupper() or each.description.startswith(each.choices), each
        assert each.description.endswith("."), each
        assert each.part, each


def test_equal_names_have_equal_meanings() -> None:
    """A parameter file means the same to node, `evaluate_bag` and `run`."""

    def meaning(each: Setting) -> tuple[object, ...]:
        return each.kind, each.is_list, each.unit, each.minimum, each.maximum, each.is_path

    tables = [{each.name: each for each in table_of(kind)} for kind in OF_PIPELINES]
    for one in tables:
        for other in tables:
            for name in (one.keys() & other.keys()) - {"image_topic"}:
                assert meaning(one[name]) == meaning(other[name]), name


@pytest.mark.parametrize("kind", [RunSettings, EvaluationSettings])
def test_the_complete_file_of_a_node_is_read(kind: type[Settings], tmp_path: Path) -> None:
    names = {each.name for each in table_of(kind)}
    given = {name: list(v) if isinstance(v, tuple) else v for name, v in NODE.items()}
    path = tmp_path / "node.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": given}}))
    found = read_parameter_file(path, names)
    assert found.keys() == NODE.keys() & names
    kind.from_values(found)
    assert NODE.keys() - names <= set(NODE_ONLY) <= NODE.keys()

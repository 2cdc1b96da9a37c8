import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from scipy.spatial.transform import Rotation

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import LABELLED_EVALUATED, LABELLED_JOINTS
from smpler_model.body.smpl import Body
from synthetic.crops import CropRenderer
from synthetic.tsv_files import write_tsv_dataset

PEOPLE = 18  # more than one batch, and no multiple of the batch size


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="module")
def data_set(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsv")
    return write_tsv_dataset(folder, "synthetic", CropRenderer(body, 128), PEOPLE, seed=0)


def read_row(path: Path, row: int) -> list[str]:
    offset = int(path.with_suffix(".lineidx").read_text().split()[row])
    with path.open("rb") as file:
        file.seek(offset)
        return file.readline().decode().rstrip("\n").split("\t")


def test_rows_are_found_through_their_index(data_set: Path) -> None:
    names = yaml.safe_load(data_set.read_text())
    rows = [int(line) for line in (data_set.parent / names["linelist"]).read_text().split()]
    assert rows == list(range(PEOPLE))
    for row in (0, PEOPLE - 1):
        columns = [read_row(data_set.parent / names[c], row) for c in ("img", "label", "hw")]
        assert len({key for key, _ in columns}) == 1
        image = cv2.imdecode(np.frombuffer(base64.b64decode(columns[0][1]), np.uint8), 1)
        size = json.loads(columns[2][1])[0]
        assert image.shape == (size["height"], size["width"], 3)


def test_labels_describe_one_body(data_set: Path, body: Body) -> None:
    evaluated = list(LABELLED_EVALUATED)
    for row in range(4):
        label = json.loads(read_row(data_set.parent / "synthetic.label.tsv", row)[1])[0]
        assert label["has_smpl"] == label["has_2d_joints"] == label["has_3d_joints"] == 1
        turns = Rotation.from_rotvec(np.array(label["pose"]).reshape(24, 3)).as_matrix()
        betas = torch.tensor([label["betas"]])
        mesh = body.mesh(torch.from_numpy(turns).float()[None], betas)
        h36m = body.h36m_joints(mesh.vertices)[0].numpy()
        labelled = np.array(label["3d_joints"][0])
        named = LABELLED_JOINTS.index("left_wrist")
        np.testing.assert_allclose(labelled[named, :3], h36m[13] - h36m[0], atol=1e-4)
        flat = np.array(label["2d_joints"][0])
        assert (flat[evaluated, 2] == 1).all()
        assert flat[LABELLED_JOINTS.index("left_ear"), 2] == 0
        half = 100 * label["scale"]
        assert (np.abs(flat[evaluated, :2] - label["center"]) < half).all()

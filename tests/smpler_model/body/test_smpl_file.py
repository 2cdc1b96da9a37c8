import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.body.smpl_file import Gender, load_smpl_file
from tests.chumpy_stand_in import Ch, Select, chumpy_importable, python2_pickle
from tests.packed_zeros import add_zeros
from tests.parity.seeded_checkpoint import seeded_body
from tests.smpl_files import save_smpl_npz, save_smpl_pickle

Layout = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def layout() -> Layout:
    """A SMPL file's entries."""
    return {key: values for key, values in seeded_body().items() if "_h36m" not in key}


def assert_same_body(one: BodyArrays, other: BodyArrays) -> None:
    for name, values in vars(other).items():
        assert np.array_equal(getattr(one, name), values), name


def with_chumpy(layout: Layout) -> bytes:
    shapes = np.concatenate((layout["shapedirs"], np.ones((6890, 3, 290))), -1)
    content = layout | {
        "v_template": Ch(x=layout["v_template"]),
        "shapedirs": Ch(x=shapes),
        "posedirs": Select(
            a=Ch(x=layout["posedirs"]),
            idxs=np.arange(layout["posedirs"].size),
            preferred_shape=layout["posedirs"].shape,
        ),
        "J_regressor": scipy.sparse.csc_matrix(layout["J_regressor"]),
        "bs_style": "lbs",
        "J": Ch(x=np.zeros((24, 3))),
    }
    with chumpy_importable():
        return pickle.dumps(content, protocol=2)


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(with_chumpy, id="chumpy inside", marks=pytest.mark.slow),
        pytest.param(python2_pickle, id="Python 2"),
        pytest.param(pickle.dumps, id="plain"),
    ],
)
def test_released_forms_are_read(
    tmp_path: Path, layout: Layout, body_arrays: BodyArrays, encode: type
) -> None:
    path = tmp_path / "basicmodel_neutral.pkl"
    path.write_bytes(encode(layout))
    loaded = load_smpl_file(path, body_arrays.J_regressor_h36m)
    assert_same_body(loaded, body_arrays)
    assert "chumpy" not in sys.modules


@pytest.mark.parametrize(("save", "suffix"), [(save_smpl_npz, "npz"), (save_smpl_pickle, "pkl")])
@pytest.mark.parametrize("with_regressor", [True, False])
def test_all_of_a_body_is_read(
    tmp_path: Path, body_arrays: BodyArrays, save: type, suffix: str, with_regressor: bool
) -> None:
    body = body_arrays if with_regressor else body_arrays.with_regressor(None)
    path = tmp_path / f"body.{suffix}"
    save(body, path)
    assert_same_body(load_smpl_file(path), body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_smplx_reads_the_same_body(tmp_path: Path, body_arrays: BodyArrays) -> None:
    import smplx

    path = tmp_path / "SMPL_NEUTRAL.pkl"
    save_smpl_pickle(body_arrays, path)
    model = smplx.SMPL(str(path))

    betas = torch.randn(1, 10, generator=torch.Generator().manual_seed(0))
    expected = model(betas=betas).vertices
    mesh = Body(load_smpl_file(path)).mesh(torch.eye(3).expand(1, 24, 3, 3), betas)

    assert torch.allclose(mesh.vertices, expected, atol=1e-5)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the path of an existing"):
        load_smpl_file(tmp_path / "SMPL_MALE.pkl")


@pytest.mark.parametrize(
    ("gender", "name"),
    [
        ("neutral", "SMPL_NEUTRAL.npz"),
        ("male", "basicmodel_m_lbs_10_207_0_v1.1.0.npz"),
        ("female", "basicModel_f_lbs_10_207_0_v1.0.0.npz"),
    ],
)
def test_genders_are_found_in_a_folder(
    tmp_path: Path, body_arrays: BodyArrays, body_file: Path, gender: Gender, name: str
) -> None:
    for other in ("SMPL_NEUTRAL.npz", "SMPL_MALE.npz", "SMPL_FEMALE.npz"):
        (tmp_path / other).write_bytes(b"another body")
    for other in tmp_path.glob(f"SMPL_{gender.upper()}.npz"):
        other.unlink()
    (tmp_path / name).hardlink_to(body_file)
    assert_same_body(load_smpl_file(tmp_path, gender=gender), body_arrays)


def test_a_folder_without_the_gender(tmp_path: Path) -> None:
    (tmp_path / "SMPL_MALE.pkl").touch()
    with pytest.raises(FileNotFoundError, match="got male ones; set gender to male"):
        load_smpl_file(tmp_path, gender="female")


def test_unknown_suffix(tmp_path: Path) -> None:
    path = tmp_path / "body.obj"
    path.touch()
    with pytest.raises(ValueError, match=r"must be \.pkl or \.npz, got body\.obj"):
        load_smpl_file(path)


def test_missing_entries_are_named(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "partial.npz"
    np.savez(path, v_template=layout["v_template"], f=layout["f"])
    with pytest.raises(ValueError, match="got no weights, J_regressor, shapedirs, posedirs"):
        load_smpl_file(path)


def test_body_of_another_topology(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **{**layout, "v_template": np.zeros((10475, 3))})
    with pytest.raises(ValueError, match=r"no SMPL body: v_template must be \(6890, 3\), got"):
        load_smpl_file(path)


def test_archive_with_objects_is_refused(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, **{**layout, "weights": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match="contains objects, get it again"):
        load_smpl_file(path)


def test_truncated_archive_is_refused(tmp_path: Path, body_file: Path) -> None:
    path = tmp_path / "cut.npz"
    path.write_bytes(body_file.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="is truncated"):
        load_smpl_file(path)


def test_other_content_of_an_archive_is_ignored(
    tmp_path: Path, layout: Layout, body_arrays: BodyArrays
) -> None:
    path = tmp_path / "body.npz"
    objects = np.array([{"a": 1}], object)
    np.savez(path, **layout, J_regressor_h36m=body_arrays.J_regressor_h36m, notes=objects)
    assert_same_body(load_smpl_file(path), body_arrays)


def test_a_required_array_of_objects_is_refused(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "body.npz"
    np.savez(path, **layout | {"weights": np.array([{"a": 1}], object)})
    with pytest.raises(ValueError, match="contains objects, get it again"):
        load_smpl_file(path)


def test_an_archive_that_expands_too_much_is_refused(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "body.npz"
    np.savez(path, **{name: values for name, values in layout.items() if name != "posedirs"})
    add_zeros(path, "posedirs.npy", 600_000_000)
    assert path.stat().st_size < 50_000_000
    with pytest.raises(ValueError, match="must expand to at most 500 MB, got 6"):
        load_smpl_file(path)


@pytest.mark.parametrize("form", ["coo_matrix", "coo_array", "csc_array", "csr_array"])
def test_regressors_in_every_sparse_form(
    tmp_path: Path, layout: Layout, body_arrays: BodyArrays, form: str
) -> None:
    regressor = getattr(scipy.sparse, form)(layout["J_regressor"])
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps(layout | {"J_regressor": regressor}))
    found = load_smpl_file(path, body_arrays.J_regressor_h36m)
    assert np.array_equal(found.J_regressor, body_arrays.J_regressor)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>log in</html>", "got a web page; log in"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_failed_downloads_are_recognised(
    tmp_path: Path, suffix: str, content: bytes, words: str
) -> None:
    path = tmp_path / f"SMPL_NEUTRAL{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load_smpl_file(path)


@pytest.mark.parametrize(
    ("vertices", "joints", "name"), [(10475, 55, "SMPL-X"), (6890, 52, "SMPL-H")]
)
def test_related_models_are_refused_by_name(
    tmp_path: Path, layout: Layout, vertices: int, joints: int, name: str
) -> None:
    path = tmp_path / "model.npz"
    other = {
        "v_template": np.zeros((vertices, 3)),
        "J_regressor": np.zeros((joints, vertices)),
        "kintree_table": np.zeros((2, joints), np.int64),
    }
    np.savez(path, **layout | other)
    with pytest.raises(ValueError, match=f"it is a {name} model; download SMPL"):
        load_smpl_file(path)


@pytest.mark.parametrize("name", ["kintree_table", "f", "shapedirs", "weights", "v_template"])
@pytest.mark.parametrize("value", [np.array(3.0), np.array("text"), np.zeros((0,))])
def test_arrays_of_other_dimensions_are_one_sentence(
    tmp_path: Path, layout: Layout, name: str, value: np.ndarray
) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **layout | {name: value})
    with pytest.raises(
        ValueError, match=rf"holds no SMPL body: .*{'faces|f' if name == 'f' else name}"
    ):
        load_smpl_file(path)


def test_a_recursive_expression_is_refused(tmp_path: Path, layout: Layout) -> None:
    endless = Ch()
    endless.x = endless
    path = tmp_path / "model.pkl"
    with chumpy_importable():
        path.write_bytes(pickle.dumps(layout | {"weights": endless}, protocol=2))
    with pytest.raises(ValueError, match="an expression contains itself"):
        load_smpl_file(path)

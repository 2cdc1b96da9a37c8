import importlib
import logging
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.inference import backends, export, runners
from smpler_model.inference import estimator as estimator_module
from smpler_model.inference.backends import Backend, Precision, choose, runs_in_half
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.inference.export import ExportError, example_crops
from smpler_model.inference.fast_network import FastSmpler
from smpler_model.inference.runners import OUTPUT_SIZE
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from synthetic.crop_style import CropStyle
from synthetic.crops import CropRenderer, join_crops
from tests.calibrated import calibrated_model
from tests.small_hrnet import SMALL_HRNET

CPU = torch.device("cpu")
SIDE = SMPLER_NANO.image_size
# OpenVINO leaves a process that destroys its networks with a signal stack that is too small.
OPENVINO = pytest.param("openvino", marks=pytest.mark.own_process)
RUNNABLE = ("eager", pytest.param("onnxruntime", marks=pytest.mark.slow), OPENVINO)
PEOPLE_SEEN = "TEST_PEOPLE_SEEN"
"""Names the file of crops that the process of its own reads: drawing them takes long."""


class Estimators(dict[Backend, Estimator]):
    """Estimators of one model by backend, each created on first use."""

    def __init__(self, model: Smpler) -> None:
        self.model = model

    def __missing__(self, backend: Backend) -> Estimator:
        self[backend] = Estimator(self.model, backend=backend)
        return self[backend]


@pytest.fixture(scope="module")
def estimators(calibrated: Smpler) -> Estimators:
    return Estimators(calibrated)


def crops(people: int) -> NDArray[np.uint8]:
    return example_crops(SIDE, people).numpy()


def assert_close(found: Estimates, expected: Estimates, tolerance: float = 2e-4) -> None:
    for name in ("rotations", "betas", "cameras", "joints_m", "keypoints"):
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == np.float64, name
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance, err_msg=name)


def test_people_rotate_about_their_pelvises(estimators: dict[Backend, Estimator]) -> None:
    found = estimators["plain"].estimate(crops(3))
    turned = found.turned(Rotation.random(3, random_state=0).as_matrix())
    posed = estimators["plain"].joints(turned.rotations, turned.betas)
    np.testing.assert_allclose(turned.joints_m, posed, atol=1e-5)
    np.testing.assert_array_equal(turned.rotations[:, 1:], found.rotations[:, 1:])
    assert np.abs(turned.joints_m - found.joints_m).max() > 0.1


@pytest.mark.parametrize("backend", RUNNABLE)
@pytest.mark.parametrize("people", [0, 1, 3, 17])
def test_backends_agree(
    estimators: dict[Backend, Estimator], backend: Backend, people: int
) -> None:
    found = estimators[backend].estimate(crops(people))
    assert len(found) == people
    assert found.rotations.shape == (people, 24, 3, 3)
    assert found.keypoints.shape == (people, 24, 2)
    assert_close(found, estimators["plain"].estimate(crops(people)))


@pytest.mark.parametrize("backend", RUNNABLE)
def test_people_do_not_affect_each_other(
    estimators: dict[Backend, Estimator], backend: Backend
) -> None:
    together = estimators[backend].estimate(crops(5))
    alone = estimators[backend].estimate(crops(5)[3:4])
    assert_close(together[3:4], alone, 2e-5)


def test_auto_chooses_an_installed_backend(calibrated: Smpler, body_arrays: BodyArrays) -> None:
    assert choose(calibrated, CPU).backend == "onnxruntime"
    assert choose(calibrated, CPU, precision="half").backend == "eager"
    full = build_model(replace(SMPLER_NANO, attention="full"), body_arrays)
    other = Estimator(full)
    assert other.backend == "plain"
    assert len(other.estimate(crops(1))) == 1


@pytest.mark.parametrize("backend", ["eager", OPENVINO])
def test_warming_up_changes_nothing(
    estimators: dict[Backend, Estimator], backend: Backend
) -> None:
    estimators[backend].warm_up(3)
    warm = estimators[backend].estimate(crops(2))
    assert_close(warm, estimators["plain"].estimate(crops(2)))


@pytest.mark.parametrize(
    ("backend", "precision", "device", "words"),
    [
        ("tensorrt", "auto", "cpu", "backend must be one of auto, plain,.*'tensorrt'"),
        ("eager", "int8", "cpu", "precision must be one of auto, float32, half, got 'int8'"),
        ("cuda_graph", "auto", "cpu", "'cuda_graph' needs a CUDA device, got 'cpu'"),
        ("openvino", "auto", "cuda", "runs on a CPU only, got device 'cuda'"),
        ("onnxruntime", "half", "cpu", "float32 only, got precision 'half'"),
        ("plain", "half", "cpu", "float32 only"),
        (
            "openvino",
            "half",
            "cpu",
            "'openvino' runs smpler_nano on this processor in float32 only",
        ),
    ],
)
def test_impossible_combinations_are_refused(
    calibrated: Smpler, backend: Backend, precision: Precision, device: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Estimator(calibrated, device, backend=backend, precision=precision)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_missing_package_is_named(
    calibrated: Smpler, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=f"'{backend}' needs the package {backend}, which is not"):
        Estimator(calibrated, backend=backend)
    assert Estimator(calibrated).backend == "eager"


def test_a_package_that_cannot_be_imported_is_named_and_another_backend_taken(
    calibrated: Smpler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = importlib.import_module

    def fail(name: str, package: str | None = None) -> object:
        if name == "onnxruntime":
            raise ImportError("numpy.core.multiarray failed to import\n\nA module that ...")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", fail)
    reason = r"cannot be imported \(ImportError: numpy.core.multiarray failed to import\); reinst"
    with pytest.raises(ValueError, match=f"'onnxruntime' needs the package .*{reason}"):
        Estimator(calibrated, backend="onnxruntime")
    assert Estimator(calibrated).backend == "eager"
    assert "onnxruntime is not used: it is installed, but cannot be imported" in caplog.text


@pytest.mark.slow
def test_an_exported_file_runs(
    calibrated: Smpler,
    exported_file: Path,
    estimators: dict[Backend, Estimator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported = Estimator(calibrated, exported=exported_file)
    assert exported.backend == "onnxruntime"
    assert_close(exported.estimate(crops(3)), estimators["plain"].estimate(crops(3)))
    other = calibrated_model(SMPLER_NANO, calibrated.body.arrays(), seed=1)
    with pytest.raises(ValueError, match="must hold the weights and body of the chosen"):
        Estimator(other, exported=exported_file)
    monkeypatch.setattr(backends, "OUTPUT_SHAPES", {"rotations": (24, 3, 3)})
    with pytest.raises(
        ExportError, match="must have the outputs rotations, got a file of another"
    ):
        Estimator(calibrated, exported=exported_file)
    with pytest.raises(ValueError, match="needs backend 'onnxruntime', got 'eager'"):
        Estimator(calibrated, backend="eager", exported=exported_file)
    with pytest.raises(FileNotFoundError, match="must be a file"):
        Estimator(calibrated, exported=tmp_path / "missing.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", OPENVINO])
def test_the_network_is_exported_once(
    calibrated: Smpler,
    estimators: dict[Backend, Estimator],
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = estimators[backend].estimate(crops(3))
    for module in (export, runners):
        monkeypatch.setattr(module, "onnx_bytes", None)
    assert_close(Estimator(calibrated, backend=backend).estimate(crops(3)), expected)
    other = calibrated_model(SMPLER_NANO, calibrated.body.arrays(), seed=1)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        Estimator(other, backend=backend)


class Memory:
    """A runner with memory for a fixed number of people; it records the batches it is given."""

    def __init__(self, room: int) -> None:
        self.room, self.tried, self.released = room, [], 0
        self.error: Exception = torch.cuda.OutOfMemoryError("CUDA out of memory")

    def release(self) -> None:
        self.released += 1

    def run(self, some: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.tried.append(len(some))
        if len(some) > self.room:
            raise self.error
        return np.repeat(some[:, 0, 0, :1].astype(np.float32), OUTPUT_SIZE, 1)


@pytest.fixture
def limited(
    calibrated: Smpler, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Estimator, Memory]:
    memory = Memory(request.param)
    monkeypatch.setattr(estimator_module, "build_runner", lambda *_: memory)
    return Estimator(calibrated, backend="eager"), memory


@pytest.mark.parametrize("limited", [3], indirect=True)
def test_batches_are_halved_when_memory_runs_out(
    limited: tuple[Estimator, Memory], caplog: pytest.LogCaptureFixture
) -> None:
    estimator, memory = limited
    pixels = crops(18)
    with caplog.at_level(logging.WARNING):
        found = estimator.estimate(pixels)
    np.testing.assert_array_equal(found.betas[:, 0], pixels[:, 0, 0, 0])  # everyone, in order
    assert memory.tried == [16, 8, 4, *[2] * 9]
    assert memory.released == 3
    assert "from now on batches have at most 2" in caplog.text
    memory.tried.clear()
    estimator.estimate(pixels[:5])
    assert memory.tried == [2, 2, 1]  # it does not retry the size that failed


@pytest.mark.parametrize("limited", [3], indirect=True)
def test_batches_are_halved_where_cudnn_has_no_kernel(
    limited: tuple[Estimator, Memory], caplog: pytest.LogCaptureFixture
) -> None:
    estimator, memory = limited
    memory.error = RuntimeError("FIND was unable to find an engine to execute this computation")
    with caplog.at_level(logging.WARNING):
        assert len(estimator.estimate(crops(5))) == 5
    assert memory.tried == [5, 2, 2, 1]
    assert "5 people are more than cuDNN finds a kernel for on cpu; from now" in caplog.text
    memory.error = RuntimeError("shapes do not fit")
    memory.room = 1
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        estimator.estimate(crops(2))


@pytest.mark.parametrize("limited", [0], indirect=True)
def test_too_little_memory_for_one_person_is_an_error(limited: tuple[Estimator, Memory]) -> None:
    with pytest.raises(DeviceMemoryError, match="the network needs more memory than cpu has left"):
        limited[0].estimate(crops(2))


def test_too_little_memory_for_the_meshes_is_an_error(calibrated: Smpler) -> None:
    # A view that repeats a single number; a copy of it fits into no machine.
    rotations, betas = (
        np.lib.stride_tricks.as_strided(np.zeros(1), shape, (0,) * len(shape))
        for shape in ((1 << 38, 24, 3, 3), (1 << 38, 10))
    )
    estimator = Estimator(calibrated, backend="eager")
    for pose in (estimator.joints, estimator.vertices):
        with pytest.raises(DeviceMemoryError, match="choose a smaller model"):
            pose(rotations, betas)


@pytest.mark.slow
@pytest.mark.parametrize("backend", RUNNABLE)
def test_memory_does_not_grow(estimators: dict[Backend, Estimator], backend: Backend) -> None:
    estimator = estimators[backend]
    pixels = crops(2)
    for _ in range(10):
        estimator.estimate(pixels)

    def grow() -> int:
        before = resident_kib()
        for _ in range(20):
            estimator.estimate(pixels)
        return resident_kib() - before

    # The crops alone of 20 frames take 6 MB, their feature maps ten times that. A leak grows every
    # time, while the heap may also grow once for other reasons.
    assert any(grow() < 4096 for _ in range(3))


def resident_kib() -> int:
    """Return the process's resident memory, KiB."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.read_text().split()[1]) * resource.getpagesize() // 1024


@pytest.fixture(scope="module")
def trained() -> Smpler:
    return load_shipped_model("smpler_nano")


@pytest.fixture(scope="module")
def people_seen(trained: Smpler) -> NDArray[np.uint8]:
    """Return crops of people who resemble the model's training data.

    Noise does not show the effect of rounding. Crops drawn together share whether they show a room
    and a second person: many small draws cover what the training files contain.
    """
    if PEOPLE_SEEN in os.environ:
        return np.load(os.environ[PEOPLE_SEEN])
    style = CropStyle(everyday=1.0)
    renderer = CropRenderer(trained.body, trained.config.image_size, style=style)
    generator = torch.Generator().manual_seed(9)
    seen = join_crops([renderer.draw_seen(8, generator) for _ in range(8)])
    return seen.images.permute(0, 2, 3, 1).contiguous().numpy()


@pytest.fixture(scope="module")
def whole(trained: Smpler, people_seen: NDArray[np.uint8]) -> Estimates:
    return Estimator(trained, backend="plain").estimate(people_seen)


def distances(
    rotations: NDArray[np.floating[Any]], joints_m: NDArray[np.floating[Any]], of: Estimates
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the angles, degrees, and distances, mm, between estimates, for each joint."""
    # The difference of two rotations by an angle a has the Frobenius norm sqrt(8) sin(a / 2).
    apart = np.linalg.norm(rotations - of.rotations, axis=(-2, -1)) / np.sqrt(8)
    degrees = np.degrees(2 * np.arcsin(np.clip(apart, 0, 1)))
    return degrees, 1000 * np.linalg.norm(joints_m - of.joints_m, axis=-1)


@pytest.mark.slow
def test_float16_hardly_changes_the_trained_model(
    trained: Smpler, people_seen: NDArray[np.uint8], whole: Estimates
) -> None:
    """On a GPU, joints rotate by less than 0.5 degrees and move by less than 2 mm in float16.

    This holds for 995 people in 1000: where the network can hardly tell which way a person faces,
    the rounding of the first layers alone rotates them further.
    """
    network = FastSmpler(trained).halve(torch.float16)
    with torch.inference_mode():
        half = network(torch.from_numpy(people_seen))
    degrees, millimetres = distances(half.rotations.numpy(), half.joints.numpy(), whole)
    within = (degrees.max(1) < 0.5) & (millimetres.max(1) < 2)
    assert within.mean() >= 0.995
    assert np.median(degrees.max(1)) < 0.1


@pytest.mark.slow
def test_bfloat16_changes_the_trained_model_little(
    trained: Smpler, people_seen: NDArray[np.uint8], whole: Estimates
) -> None:
    """On a CPU, bfloat16 has three bits less than float16: limits hold on average."""
    half = Estimator(trained, backend="eager", precision="half").estimate(people_seen)
    degrees, millimetres = distances(half.rotations, half.joints_m, whole)
    assert degrees.mean() < 0.5
    assert millimetres.mean() < 2


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", OPENVINO])
def test_bfloat16_rounds_a_high_resolution_backbone(
    body_arrays: BodyArrays, backend: Backend
) -> None:
    model = calibrated_model(SMALL_HRNET, body_arrays)
    seen = example_crops(SMALL_HRNET.image_size, 8).numpy()
    expected = Estimator(model, backend="plain").estimate(seen)
    if not runs_in_half(SMALL_HRNET, backend):
        with pytest.raises(ValueError, match="on this processor in float32 only"):
            Estimator(model, backend=backend, precision="half")
        return
    half = Estimator(model, backend=backend, precision="half").estimate(seen)
    degrees, _ = distances(half.rotations, half.joints_m, expected)
    assert 0.01 < degrees.mean() < 1


@pytest.mark.slow
def test_openvino_in_a_process_of_its_own(people_seen: NDArray[np.uint8], tmp_path: Path) -> None:
    """One process for the tests of this file and of the self-check's."""
    path = tmp_path / "people.npy"
    np.save(path, people_seen)
    files = [__file__, str(Path(__file__).with_name("test_self_check.py"))]
    command = [sys.executable, "-m", "pytest", "-vv", "-m", "own_process", *files]
    environment = os.environ | {PEOPLE_SEEN: str(path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    for file in files:
        assert re.search(rf"{Path(file).name}::\S+openvino\S* PASSED", done.stdout), done.stdout

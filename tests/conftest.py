"""What several tests share: seeded files in the official layout, and the models they hold."""

import fcntl
import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import settings

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl_file import load_smpl_file
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.inference.export_cache import VARIABLE
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_backbone_model, build_model
from smpler_model.network.smpler import BackboneModel, Smpler
from tests.calibrated import calibrate_norms
from tests.parity.seeded_checkpoint import seeded_arrays, write_checkpoint
from tests.smpl_files import save_smpl_npz

# Seeded, like all tests here; first calls of torch are slower than hypothesis' deadline.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")

THREADS = 1
"""PyTorch's. Threads that wait for each other are ten times slower when others share the cores."""

torch.set_num_threads(THREADS)

OfficialFile = Callable[[str], Path]

_COLLECTED_AFTER = (10_000, 20, 50)  # as for `gc.set_threshold`

ROS_TESTS = Path(__file__).parent / "ros"

OFFICIAL_FILES = "TEST_OFFICIAL_FILES"
"""Names the folder of seeded official files that all workers share: drawing one takes seconds."""


def pytest_configure(config: pytest.Config) -> None:
    """Let workers, and what tests start, keep exported networks in one folder, not the user's.

    They share seeded official files, too. And they get a SIGINT that works where this process was
    started with one that is ignored, as by `nohup` or in a shell's background: programs let an
    ignored signal stay ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_worker, is_in_test = hasattr(config, "workerinput"), "PYTEST_CURRENT_TEST" in os.environ
    if not (is_worker or is_in_test):
        for variable, prefix in ((VARIABLE, "exports"), (OFFICIAL_FILES, "official")):
            name = f"smpler_ros_{prefix}_"
            folder = TemporaryDirectory(prefix=name, ignore_cleanup_errors=True)
            os.environ[variable] = folder.name
            config.add_cleanup(folder.cleanup)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that no worker is left with a long one at the end.

    Those over ROS, which mostly wait for messages, are spread evenly among those that compute.
    """
    slow = dict.fromkeys(item.path for item in items if item.get_closest_marker("slow"))
    over_ros = [path for path in slow if ROS_TESTS in path.parents]
    computing = [path for path in slow if ROS_TESTS not in path.parents]
    place = {
        path: (index + 0.5) / len(files)
        for files in (over_ros, computing)
        for index, path in enumerate(files)
    }
    items.sort(key=lambda item: place.get(item.path, 1.0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep imported modules and collected tests out of garbage collection: a pass takes 0.4 s.

    Later passes, over what tests keep, take a third of that; they are made less frequent.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTED_AFTER)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _one_builtin_body() -> Iterator[None]:
    """Decompress the built-in body once, which takes longer than most tests that use it."""

    @cache
    def load(path: Path) -> BodyArrays:
        arrays = load_smpl_file(path)
        for field in fields(arrays):
            if (values := getattr(arrays, field.name)) is not None:
                values.setflags(write=False)  # as it is shared
        return arrays

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smpler_model.body.builtin.load_smpl_file", load)
        yield


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Restore the number of threads, which a program run by a test may have changed."""
    yield
    torch.set_num_threads(THREADS)


@dataclass(frozen=True)
class SmallModel:
    """A small model and its file."""

    model: BackboneModel
    path: Path


@pytest.fixture(scope="session")
def official_file() -> OfficialFile:
    """Return a function that returns the seeded file of a variant, written on the first call."""
    folder = Path(os.environ[OFFICIAL_FILES])

    @cache
    def find(variant: str) -> Path:
        path = folder / f"{variant}.pt"
        with (folder / f"{variant}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
            if not path.exists():
                write_checkpoint(variant, whole := path.with_suffix(".part"))
                whole.replace(path)
        return path

    return find


@pytest.fixture(scope="session")
def body_arrays() -> BodyArrays:
    return seeded_arrays()


@pytest.fixture(scope="session")
def body_file(body_arrays: BodyArrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same body as an archive in SMPL's layout; not to be changed."""
    path = tmp_path_factory.mktemp("body") / "body.npz"
    save_smpl_npz(body_arrays, path)
    return path


@pytest.fixture(scope="session")
def nano(body_arrays: BodyArrays) -> Smpler:
    """The small model with initial weights in evaluation mode; not to be modified."""
    torch.manual_seed(0)
    model = build_model(SMPLER_NANO, body_arrays)
    side = SMPLER_NANO.image_size
    calibrate_norms(model.backbone, torch.randn(4, 3, side, side))
    return model.eval()


@pytest.fixture(scope="session")
def nano_file(nano: Smpler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nano") / "nano.pt"
    save_checkpoint(nano, path)
    return path


@pytest.fixture(scope="session")
def stage_file(body_arrays: BodyArrays, tmp_path_factory: pytest.TempPathFactory) -> SmallModel:
    """A file of the first training stage, for a small model."""
    torch.manual_seed(1)
    model = build_backbone_model(SMPLER_NANO, body_arrays).eval()
    path = tmp_path_factory.mktemp("stage") / "stage.pt"
    save_checkpoint(model, path)
    return SmallModel(model, path)

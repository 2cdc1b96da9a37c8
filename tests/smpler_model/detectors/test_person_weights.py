"""A file gives back the network that was written, or says in a sentence why it cannot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.person_network import PersonNetwork
from smpler_model.detectors.person_weights import (
    SHIPPED,
    load_person_network,
    save_person_network,
)


@pytest.fixture(scope="module")
def network() -> PersonNetwork:
    torch.manual_seed(0)
    return PersonNetwork().eval()


@pytest.fixture(scope="module")
def file(network: PersonNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "person.npz"
    save_person_network(network, path)
    return path


def test_weights_come_back_within_half_a_step(network: PersonNetwork, file: Path) -> None:
    read = load_person_network(file).state_dict()
    for name, values in network.state_dict().items():
        channels = values.reshape(len(values), -1).abs().amax(1)
        steps = channels / 127 if values.numel() >= 20_000 else channels / 1024
        gap = (read[name] - values).reshape(len(values), -1).abs().amax(1)
        assert (gap <= steps / 2 + 1e-7).all(), name


def test_what_is_read_is_written_as_it_was(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    save_person_network(load_person_network(file), again)
    with np.load(file) as first, np.load(again) as second:
        assert first.files == second.files
        bytes_differ = [
            name
            for name in first.files
            if first[name].dtype == np.int8 and (first[name] != second[name]).any()
        ]
    assert bytes_differ == []


def test_the_shipped_file_is_small_and_whole() -> None:
    assert SHIPPED.stat().st_size < 6e6
    load_person_network()


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"must be a file, got .*nothing\.npz; give the abs"):
        load_person_network(tmp_path / "nothing.npz")


def test_a_damaged_file(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.npz"
    cut.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(DetectorError, match=r"cut\.npz must be a \.npz of plain arrays"):
        load_person_network(cut)


@pytest.mark.parametrize("arrays", [{}, {"stem.weight": np.zeros((3, 3))}], ids=["none", "other"])
def test_a_file_of_another_network(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(1), **arrays)
    with pytest.raises(DetectorError, match=r"\d+ of its \d+ arrays are missing"):
        load_person_network(path)

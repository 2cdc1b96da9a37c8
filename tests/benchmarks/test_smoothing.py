"""What the benchmark measures is what it says."""

import numpy as np
import pytest
import torch

from benchmarks.smoothing import (
    NOISE,
    Noise,
    Sequence,
    add_noise,
    estimate,
    find_lag_s,
    make_person,
    measure,
    put_before_camera,
    simulate,
)
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.inference.estimator import Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.people.smoothing import SmoothingConfig
from synthetic.people.motions import RATE_HZ

STILL = Noise(0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.mark.parametrize("lag_frames", [0, 1, 2.5, 6])
def test_lag_is_the_delay(lag_frames: float) -> None:
    times = np.arange(120) / RATE_HZ
    path = np.sin(2 * np.pi * 0.7 * np.stack([times, times - lag_frames / RATE_HZ]))
    target, points = path[..., None, None] * np.ones(3)
    assert find_lag_s(points, target) == pytest.approx(lag_frames / RATE_HZ, abs=0.0051)


def test_the_truth_has_no_error_no_jitter_and_no_lag(body: Body) -> None:
    truth = put_before_camera(make_person(body, 0))
    figures = measure(body, [Sequence(truth, add_noise(truth, STILL, 0))], None)
    assert figures.joints_error_mm < 0.01
    assert figures.pelvis_acceleration_mm < 0.01
    assert figures.joints_lag_ms == pytest.approx(0, abs=1e-6)


def test_smoothing_halves_jitter_and_error_and_lags_less_than_two_frames(body: Body) -> None:
    sequences = simulate(body, 1)
    rough = measure(body, sequences, None)
    smooth = measure(body, sequences, SmoothingConfig())
    assert smooth.joints_acceleration_mm < 0.5 * rough.joints_acceleration_mm
    assert smooth.pelvis_acceleration_mm < 0.25 * rough.pelvis_acceleration_mm
    assert smooth.joints_error_mm < 0.7 * rough.joints_error_mm
    assert smooth.pelvis_error_mm < 0.7 * rough.pelvis_error_mm
    assert 0 < smooth.joints_lag_ms < 2e3 / RATE_HZ
    assert 0 < smooth.pelvis_lag_ms < 2e3 / RATE_HZ


def test_noise_is_as_large_as_it_says(body: Body) -> None:
    truth = put_before_camera(make_person(body, 1))
    noisy = add_noise(truth, NOISE, 5)
    depth = np.log(noisy.translations_m[:, 2] / truth.translations_m[:, 2])
    assert depth.std() == pytest.approx(NOISE.depth, rel=0.1)
    turned = np.swapaxes(truth.rotations, -1, -2) @ noisy.rotations
    cosine = np.clip((np.trace(turned, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    assert np.sqrt((np.arccos(cosine) ** 2).mean() / 3) == pytest.approx(
        NOISE.rotation_rad, rel=0.05
    )


@pytest.mark.slow
def test_a_network_s_estimates_pair_with_the_truth(
    body: Body, nano: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    short = make_person(body, 0)
    part = type(short)(short.rotations[60:66], short.translations_m[60:66], short.betas)
    monkeypatch.setattr("benchmarks.smoothing.make_person", lambda body, seed: part)
    (sequence,) = estimate(body, Estimator(nano, backend="plain"), 1)
    assert sequence.estimates.rotations.shape == sequence.truth.rotations.shape == (6, 24, 3, 3)
    expected = put_before_camera(part)
    np.testing.assert_allclose(
        sequence.truth.rotations[:, 1:], expected.rotations[:, 1:], atol=1e-6
    )
    apart = np.abs(sequence.estimates.rotations - sequence.truth.rotations)
    assert apart.max() > 0.3  # it is not trained

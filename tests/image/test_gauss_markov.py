"""Processes in time against dense covariances."""

import numpy as np
import pytest

from almabrain.image.gauss_markov import (
    ORDERS,
    Measured,
    Process,
    largest_std,
    learn,
    precision,
    prior_energy,
)

TIME_S = np.sort(np.random.default_rng(1).uniform(0, 1000, 12))


def covariance(time_s, process):
    """Of the values at two times, by the formula of the autocorrelation."""
    apart = np.abs(time_s[:, None] - time_s) / process.correlation_s
    if process.order == 1:
        return process.std**2 * np.exp(-apart)
    return process.std**2 * (1 + np.sqrt(3) * apart) * np.exp(-np.sqrt(3) * apart)


def data(times=12, antennas=4, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(times, antennas, antennas - 1))  # one direction is not measured
    return Measured(TIME_S[:times], 0.3 * root @ root.swapaxes(1, 2), rng.normal(size=(times, antennas)))


@pytest.mark.parametrize("order", ORDERS)
def test_posterior_and_evidence_are_those_of_dense_matrices(order):
    process, measured = Process(0.7, 300.0, order), data()
    times, antennas = measured.pull.shape
    prior = np.kron(covariance(TIME_S, process), np.eye(antennas))
    information = np.zeros((times, antennas, times, antennas))
    information[np.arange(times), :, np.arange(times)] = measured.information
    information = information.reshape(prior.shape)
    posterior = np.linalg.inv(np.linalg.inv(prior) + information)
    mean = posterior @ measured.pull.ravel()
    blocks = posterior.reshape(times, antennas, times, antennas)
    log_det = np.linalg.slogdet(np.eye(len(prior)) + prior @ information)[1]
    assert measured.mean(process)[..., 0].ravel() == pytest.approx(mean, abs=1e-9)
    assert np.allclose(measured.covariance(process), blocks[np.arange(times), :, np.arange(times)])
    assert measured.log_evidence(process) == pytest.approx(0.5 * measured.pull.ravel() @ mean - log_det / 2)
    assert measured.log_det(process) == pytest.approx(log_det)


@pytest.mark.parametrize("order", ORDERS)
def test_prior_is_stationary_where_steps_are_short_and_long(order):
    time = np.array([0.0, 0.2, 1.0, 30.0, 1000.0, 90000.0])
    process = Process(1.0, 400.0, order)
    diagonal, below, log_det = precision(time, process)
    full = np.zeros((len(time), order, len(time), order))
    for k, block in enumerate(diagonal):
        full[k, :, k] = block
    for k, block in enumerate(below):
        full[k + 1, :, k], full[k, :, k + 1] = block, block.T
    full = full.reshape(len(time) * order, -1)
    made = np.linalg.inv(full).reshape(len(time), order, len(time), order)[:, 0, :, 0]
    assert np.allclose(made, covariance(time, process), rtol=1e-4, atol=1e-6)
    assert log_det == pytest.approx(np.linalg.slogdet(full)[1], rel=1e-6)
    state = np.random.default_rng(2).normal(size=(len(time), 3, order))
    slow = sum(state[:, a].ravel() @ full @ state[:, a].ravel() for a in range(3)) / 2
    assert prior_energy(state, time, process) == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_process_is_learned(order):
    rng = np.random.default_rng(3)
    time, antennas, noise = np.arange(150) * 10.0, 12, 0.1
    true = Process(0.5, 200.0, order)
    root = np.linalg.cholesky(covariance(time, true) + 1e-9 * np.eye(len(time)))
    seen = root @ rng.normal(size=(len(time), antennas)) + noise * rng.normal(size=(len(time), antennas))
    measured = Measured(time, np.tile(np.eye(antennas) / noise**2, (len(time), 1, 1)), seen / noise**2)
    found = learn(measured, None, np.pi, 10.0)
    assert found.order == order
    assert found.std == pytest.approx(0.5, rel=0.2)
    assert found.correlation_s == pytest.approx(200, rel=0.35)
    limit = largest_std(measured, found, np.pi)
    assert found.std < limit < 1.4 * found.std
    held = learn(measured, None, np.pi, 10.0, std=0.3, correlation_s=100.0)
    assert (held.std, held.correlation_s) == pytest.approx((0.3, 100.0))


def test_nothing_is_learned_from_noise_alone():
    rng = np.random.default_rng(4)
    noise, shape = 0.3, (100, 10)
    seen = noise * rng.normal(size=shape)
    information = np.tile(np.eye(10) / noise**2, (100, 1, 1))
    measured = Measured(np.arange(100) * 10.0, information, seen / noise**2)
    found = learn(measured, None, np.pi, 10.0)
    assert measured.log_evidence(found) < 3
    assert found.std < 0.5 * noise

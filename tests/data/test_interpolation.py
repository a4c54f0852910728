"""Polynomials through a few points against the functions that they follow."""

import numpy as np

from almabrain.data.interpolation import chebyshev, lagrange


def test_polynomials_are_followed_exactly_and_nodes_are_kept():
    nodes, at = chebyshev(5), np.linspace(-1, 1, 17)
    nodes = np.append(nodes, at[3])
    polynomial = np.poly1d([0.3, -1, 2, 0.5, -0.7, 1])
    np.testing.assert_allclose(lagrange(nodes, at) @ polynomial(nodes), polynomial(at), atol=1e-13)
    np.testing.assert_array_equal(lagrange(nodes, at)[3], [0, 0, 0, 0, 0, 1])


def test_a_turning_phase_is_followed_to_its_bound():
    turn, number = 1.3, 6
    at = np.linspace(-1, 1, 101)
    found = lagrange(chebyshev(number), at) @ np.exp(1j * turn * chebyshev(number))
    error = np.abs(found - np.exp(1j * turn * at)).max()
    assert 1e-7 < error < 2 * (turn / 2) ** number / 720

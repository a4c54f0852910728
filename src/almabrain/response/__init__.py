"""Between the sky and the visibilities: predict, grid, weight, fit the beam, apply the primary beam."""

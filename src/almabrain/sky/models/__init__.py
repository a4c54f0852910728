"""Sky models, one module each: `draw(field, settings, rng) -> list[Shape]`, found by the module's name."""

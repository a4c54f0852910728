"""Sky models, one module each: `draw(field, settings, rng) -> list[Source]`, found by the module's name."""

"""Bayesian imaging of visibilities, and CLEAN beside it."""

import logging

# JAX tells of every accelerator that it looked for and did not find.
logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)

"""Random numbers that belong to one stage of one simulation and to nothing else."""

import hashlib

import numpy as np


def generator(seed: int, stage: str, name: str) -> np.random.Generator:
    """A generator for `stage` of the simulation or data set `name` under the run's `seed`.

    The key is hashed, so adding a simulation or a stage changes no other's numbers.
    """
    digest = hashlib.sha256(f"{int(seed)}/{stage}/{name}".encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(list(np.frombuffer(digest, np.uint32))))

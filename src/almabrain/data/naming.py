"""Every name of a run's data and files, so that a path is spelt in one place only.

Standard library only: the workflow imports this at every parse.
"""

from pathlib import PurePosixPath


def simulation(index: int) -> str:
    """Name of the simulation with this index: `sim-000012`."""
    return f"sim-{index:06d}"


def shard(index: int) -> str:
    """Name of a shard, a group of simulations that one job makes: `shard-0003`."""
    return f"shard-{index:04d}"


def shards(simulations: int, size: int) -> dict[str, list[str]]:
    """The simulations of every shard: `{"shard-0000": ["sim-000000", "sim-000001"], ...}`."""
    starts = range(0, simulations, size)
    return {
        shard(number): [simulation(i) for i in range(start, min(start + size, simulations))]
        for number, start in enumerate(starts)
    }


def shard_of(data: str, size: int) -> str:
    """The shard that holds the simulation named `data`."""
    return shard(int(data.removeprefix("sim-")) // size)


def window(index: int) -> str:
    """Name of a spectral window within a simulation or data set: `spw2`."""
    return f"spw{index}"


def is_simulation(data: str) -> bool:
    """True for a simulation's name, False for an observation of the user's (`obs-hd142527`)."""
    return PurePosixPath(data).name.startswith("sim-")

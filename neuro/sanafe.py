"""What of a run goes to SANA-FE: the map it was deployed with, and a test sample."""

import hwsim
from hwsim.arrays import AnyArray
from neuro.mapping import deployed_map
from neuro.runs import RunFolder
from neuro.training.samples import load_split


def place(
    net: hwsim.Network, chip: hwsim.ChipSpec, run: RunFolder | None
) -> tuple[hwsim.Plan, str]:
    """The map of the run's deployment on this chip, else the one that is made without a profile."""
    deployed = None if run is None else deployed_map(run, net, chip)
    return deployed or (hwsim.compile(net, chip), "optimised, without a profile")


def sample_of(run: RunFolder, k: int, root: str | None = None) -> AnyArray:
    """The spikes of test sample k, counted from 0.

    Raises:
        ValueError: if there are not so many samples.
    """
    data = run.recipe.data
    test = load_split(data, data.test, root)
    if k >= len(test):
        raise ValueError(f"test sample {k} asked for, the test split has 0 to {len(test) - 1}")
    return test.frames[k]

"""How many cores each layer gets: the fewest, and more for the slowest as long as it pays."""

from dataclasses import dataclass

from hwsim.chips.nominal import nominal
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.load import work_of
from hwsim.mapping.partition import Partition
from hwsim.mapping.profile import Profile

SHARPNESS = 16  # layers near the slowest count too: in some steps they are the slowest


@dataclass(frozen=True, slots=True)
class Estimate:
    """Energy and delay of a sample before it is run, by the chip's nominal constants."""

    energy_j: float
    delay_s: float

    @property
    def product(self) -> float:
        """Energy times delay."""
        return self.energy_j * self.delay_s


@dataclass(slots=True)
class _Layer:
    """A population while cores are handed out.

    Attributes:
        work_s: seconds per sample, which its cores divide. heard_s: seconds per sample that
            each of its cores spends on packets that it hears, however many cores there are.
        packet_j: joules per sample of the packets that one core more would be sent.
        entering: packets per sample of the inputs that one core more would be sent.
    """

    n_parts: int
    size: int
    work_s: float
    heard_s: float
    packet_j: float
    entering: float

    @property
    def busy_s(self) -> float:
        """Seconds per sample of one of its cores."""
        return self.work_s / self.n_parts + self.heard_s


def spread(partition: Partition, profile: Profile, most_parts: int) -> dict[str, int]:
    """Parts of each population for the least energy-delay product, estimated from a profile.

    The slowest population gets a part more again and again; what is kept is the best of all
    estimates with `most_parts` in all or fewer.
    """
    layers = {p.name: _layer(partition, p.name, profile) for p in partition.inner}
    fixed_j = _fixed_j(partition, profile)
    best = _estimate(layers, partition.chip, profile, fixed_j).product
    kept = {name: layer.n_parts for name, layer in layers.items()}
    for _ in range(most_parts - partition.n_parts):
        slowest = max(layers.values(), key=lambda layer: layer.busy_s)
        if slowest.n_parts == slowest.size:
            break
        slowest.n_parts += 1
        product = _estimate(layers, partition.chip, profile, fixed_j).product
        if product < best:
            best, kept = product, {name: layer.n_parts for name, layer in layers.items()}
    return kept


def estimate(partition: Partition, profile: Profile) -> Estimate:
    """Energy and delay of a sample, each part on a core of its own."""
    layers = {p.name: _layer(partition, p.name, profile) for p in partition.inner}
    return _estimate(layers, partition.chip, profile, _fixed_j(partition, profile))


def hops_per_s(partition: Partition, profile: Profile) -> float:
    """Hops that cost as much energy times delay as a second more in one step of a sample.

    Where either is not known, a second is worth none.
    """
    prices = partition.chip.energy
    hop_j = (nominal(prices, "hop_ew") + nominal(prices, "hop_ns")) / 2
    found = estimate(partition, profile)
    if not hop_j or not found.delay_s:
        return 0.0
    return found.energy_j / found.delay_s / hop_j / profile.n_steps


def _fixed_j(partition: Partition, profile: Profile) -> float:
    """Joules per sample that do not depend on the map."""
    net, prices = partition.net, partition.chip.energy
    return float(sum(work_of(net, p.name, profile, prices).sum() for p in partition.inner))


def _layer(partition: Partition, name: str, profile: Profile) -> _Layer:
    net, chip, cut = partition.net, partition.chip, partition.cuts[name]
    heard = {"inside": 0.0, "entering": 0.0}
    for p, reach in zip(net.into(name), cut.reaches, strict=True):
        where = "entering" if net[p.source].neuron is None else "inside"
        heard[where] += float(profile.spikes[p.source] @ reach) / cut.n_parts
    total = sum(heard.values())
    work = float(work_of(net, name, profile, chip.time).sum())
    per_packet_j = nominal(chip.energy, "packet") + nominal(chip.energy, "packet_in")
    heard_s = total * nominal(chip.time, "packet_in")
    return _Layer(
        cut.n_parts, net[name].size, work, heard_s, total * per_packet_j, heard["entering"]
    )


def _estimate(
    layers: dict[str, _Layer], chip: ChipSpec, profile: Profile, fixed_j: float
) -> Estimate:
    n_cores = sum(layer.n_parts for layer in layers.values())
    time, chips = chip.time, -(-n_cores // chip.limits.cores)
    tiles = chips * chip.mesh.columns * chip.mesh.rows
    used = min(tiles, -(-n_cores // chip.mesh.cores_per_tile))
    shares = time.barriers(used).items()
    barrier_s = sum(share * (time.barrier[k].value or 0.0) for k, share in shares)
    # inputs leave the tile where they enter by two links, and have the first step for themselves
    east, south = nominal(time, "hop_ew"), nominal(time, "hop_ns")
    both = east * south / (east + south) if east and south else 0.0
    entry_s = both * sum(layer.entering * layer.n_parts for layer in layers.values())
    busy_s = max(_slowest(layers), entry_s) + entry_s / profile.n_steps
    delay_s = max(busy_s + profile.n_steps * barrier_s, profile.n_steps * nominal(time, "tick"))
    watts = n_cores * nominal(chip.power, "core")
    watts += chips * (nominal(chip.power, "chip") + nominal(chip.power, "host"))
    energy_j = fixed_j + watts * delay_s + chips * nominal(chip.energy, "reset")
    energy_j += sum(layer.packet_j * layer.n_parts for layer in layers.values())
    return Estimate(energy_j, delay_s)


def _slowest(layers: dict[str, _Layer]) -> float:
    """Seconds per sample of the slowest core, a little more where several are nearly as slow."""
    most = max(layer.busy_s for layer in layers.values())
    if not most:
        return 0.0
    near = sum((layer.busy_s / most) ** SHARPNESS for layer in layers.values())
    return float(most * near ** (1 / SHARPNESS))

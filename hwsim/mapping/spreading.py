"""How many cores each layer gets: the fewest, and more for the slowest as long as it pays."""

from dataclasses import dataclass

from hwsim.chips.nominal import nominal
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.load import work_of
from hwsim.mapping.partition import Partition
from hwsim.mapping.profile import Profile


@dataclass(slots=True)
class _Layer:
    """A population while cores are handed out.

    Attributes:
        work_s: seconds per sample, which its cores divide. heard_s: seconds per sample that
            each of its cores spends on packets that it hears, however many cores there are.
        packet_j: joules per sample of the packets that one core more would be sent.
    """

    n_parts: int
    size: int
    work_s: float
    heard_s: float
    packet_j: float

    @property
    def busy_s(self) -> float:
        """Seconds per sample of one of its cores."""
        return self.work_s / self.n_parts + self.heard_s


def spread(partition: Partition, profile: Profile, most_parts: int) -> dict[str, int]:
    """Parts of each population for the least energy-delay product, estimated from a profile.

    The slowest population gets a part more again and again; what is kept is the best of all
    estimates with `most_parts` in all or fewer.
    """
    net, chip = partition.net, partition.chip
    layers = {p.name: _layer(partition, p.name, profile) for p in partition.inner}
    fixed_j = sum(work_of(net, name, profile, chip.energy).sum() for name in layers)
    best = _product(layers, chip, profile, float(fixed_j))
    kept = {name: layer.n_parts for name, layer in layers.items()}
    for _ in range(most_parts - partition.n_parts):
        slowest = max(layers.values(), key=lambda layer: layer.busy_s)
        if slowest.n_parts == slowest.size:
            break
        slowest.n_parts += 1
        if (product := _product(layers, chip, profile, float(fixed_j))) < best:
            best, kept = product, {name: layer.n_parts for name, layer in layers.items()}
    return kept


def _layer(partition: Partition, name: str, profile: Profile) -> _Layer:
    net, chip, cut = partition.net, partition.chip, partition.cuts[name]
    heard = sum(
        float(profile.spikes[p.source] @ reach) / cut.n_parts
        for p, reach in zip(net.into(name), cut.reaches, strict=True)
    )
    work = float(work_of(net, name, profile, chip.time).sum())
    per_packet_j = nominal(chip.energy, "packet") + nominal(chip.energy, "packet_in")
    heard_s = heard * nominal(chip.time, "packet_in")
    return _Layer(cut.n_parts, net[name].size, work, heard_s, heard * per_packet_j)


def _product(layers: dict[str, _Layer], chip: ChipSpec, profile: Profile, fixed_j: float) -> float:
    """Energy times delay of a sample, by the chip's nominal constants."""
    n_cores = sum(layer.n_parts for layer in layers.values())
    time, chips = chip.time, -(-n_cores // chip.limits.cores)
    tiles = chips * chip.mesh.columns * chip.mesh.rows
    used = min(tiles, -(-n_cores // chip.mesh.cores_per_tile))
    step_s = max(layer.busy_s for layer in layers.values()) / profile.n_steps
    step_s += sum(
        share * (time.barrier[k].value or 0.0) for k, share in time.barriers(used).items()
    )
    delay_s = profile.n_steps * max(step_s, nominal(time, "tick"))
    watts = n_cores * nominal(chip.power, "core")
    watts += chips * (nominal(chip.power, "chip") + nominal(chip.power, "host"))
    energy_j = fixed_j + watts * delay_s + chips * nominal(chip.energy, "reset")
    energy_j += sum(layer.packet_j * layer.n_parts for layer in layers.values())
    return float(energy_j * delay_s)

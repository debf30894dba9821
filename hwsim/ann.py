"""What the non-spiking network of the same shape costs on an accelerator, by a price list."""

from hwsim.bands import draw
from hwsim.bill import Bill, Lasts, Term, held, make_bill, sum_draws, total
from hwsim.chips.accelerator import Accelerator
from hwsim.crossbar.area import Area, area_of
from hwsim.macs import macs
from hwsim.network import Network


def ann_bill(net: Network, prices: Accelerator, *, n_passes: int = 1, seed: int = 0) -> Bill:
    """One inference of the non-spiking network with the shape of `net`, in int8.

    Every synapse is a multiply-accumulate. Weights are read once a pass, from SRAM where all of
    them fit, else from DRAM; every activation is written to SRAM and read once by each layer that
    hears it; the input comes from DRAM. Nothing is said about accuracy: the weights of a spiking
    network are not those of this one, which would have to be trained.

    Args:
        n_passes: one for a feed-forward network; as many as time steps for a recurrent one.
        seed: of the draw of the constants.

    Raises:
        ValueError: if it is no price list of an accelerator, or for less than one pass.
    """
    if not isinstance(prices, Accelerator):
        raise ValueError(
            f"{prices!r:.60} is no accelerator: give hwsim.chips.files.load_accelerator(name)"
        )
    if n_passes < 1:
        raise ValueError(f"{n_passes} passes: give 1, or one for every step of a recurrent network")
    e, t = prices.energy, prices.time
    weights = sum(p.synapses.weight.size for p in net.projections)
    fits = weights <= prices.sram_bytes
    heard = sum(net[p.source].size for p in net.projections)
    made = sum(p.size for p in net.populations if p.neuron is not None)
    inputs = sum(p.size for p in net.inputs)
    n = {
        "mac": sum(macs(net).values()),
        "sram": (weights if fits else 0) + heard + made + inputs,
        "dram": inputs + (0 if fits else weights),
    }
    n = {name: n_passes * count for name, count in n.items()}
    draws = draw(prices.constants(), seed=seed)
    times = (
        Term("arithmetic", "multiply-accumulates", n["mac"], "time.mac", t.mac),
        Term("dram", "bytes from DRAM", n["dram"], "time.dram_byte", t.dram_byte),
    )
    whole = Lasts(total(times), sum_draws(times, draws))
    local = n["mac"] * prices.local_bytes_per_mac
    power = prices.power
    energies = (
        Term("arithmetic", "multiply-accumulates", n["mac"], "energy.mac", e.mac),
        Term("buffers", "bytes from local buffers", local, "energy.local_byte", e.local_byte),
        Term("sram", "bytes to and from SRAM", n["sram"], "energy.sram_byte", e.sram_byte),
        Term("dram", "bytes from DRAM", n["dram"], "energy.dram_byte", e.dram_byte),
        held("static", "the accelerator", 1, "power.chip", power.chip, whole),
        held("host", "the host", 1, "power.host", power.host, whole),
    )
    return make_bill(prices.title, 1, energies, times, draws, {"static": whole, "host": whole})


def ann_area(prices: Accelerator, *, seed: int = 0) -> Area:
    """Multipliers and SRAM; control, buffers and pads are not in it."""
    terms = (
        Term("arithmetic", "multipliers", float(prices.macs), "area.mac", prices.area.mac),
        Term("sram", "bytes", float(prices.sram_bytes), "area.sram_byte", prices.area.sram_byte),
    )
    return area_of(terms, draw(prices.constants(), seed=seed))

"""What a spiking network does on silicon: exact spikes, counts, joules. Needs no torch.

qnet, verdicts = hwsim.quantize(net, chip, samples)
plan = hwsim.compile(qnet, chip)  # hwsim.fits says what is in the way
run = hwsim.simulate(plan, samples)
bill = hwsim.price(run.counts, chip)
"""

from hwsim.bill import Bill
from hwsim.chips.files import chip_names, copy_chip, load_chip, load_price_list
from hwsim.chips.spec import ChipSpec
from hwsim.counts import Counts, Critical
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.spec import CrossbarChip
from hwsim.delay_classes import Merged, quantize_delays
from hwsim.energy import delay_area, price
from hwsim.formats.netx_read import read_netx
from hwsim.formats.netx_write import write_netx
from hwsim.formats.nir_read import Imported, NodeVerdict, read_nir
from hwsim.formats.nir_write import write_nir
from hwsim.formats.sanafe import write_sanafe
from hwsim.inspection import inspect
from hwsim.mapping.compiler import compile_network as compile
from hwsim.mapping.cost import MapCost, map_cost
from hwsim.mapping.delay_memory import DelayBits, DelayMemory, delay_memory
from hwsim.mapping.fits import Fill, fits, usage
from hwsim.mapping.mappers import MAPPERS, Mapper, Problem
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.profile import Profile
from hwsim.mapping.violation import DoesNotFit, Violation
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.network_file import load_network, save_network
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.profiling import profile
from hwsim.quantization import Verdict, quantize
from hwsim.simulation import Run, simulate
from hwsim.synapses import Conv2d, Dense, Sparse

__all__ = [
    "MAPPERS",
    "Bill",
    "ChipSpec",
    "Conv2d",
    "Counts",
    "Critical",
    "CrossbarChip",
    "CrossbarCounts",
    "DelayBits",
    "DelayMemory",
    "Dense",
    "DoesNotFit",
    "Fill",
    "FixedNeuron",
    "GradedVec",
    "Imported",
    "MapCost",
    "Mapper",
    "Merged",
    "Network",
    "Neuron",
    "NodeVerdict",
    "Part",
    "Plan",
    "Population",
    "Problem",
    "Profile",
    "Projection",
    "Run",
    "SigmaDelta",
    "Sparse",
    "Verdict",
    "Violation",
    "WeightWord",
    "chip_names",
    "compile",
    "copy_chip",
    "delay_area",
    "delay_memory",
    "fits",
    "inspect",
    "load_chip",
    "load_network",
    "load_price_list",
    "map_cost",
    "price",
    "profile",
    "quantize",
    "quantize_delays",
    "read_netx",
    "read_nir",
    "save_network",
    "simulate",
    "usage",
    "write_netx",
    "write_nir",
    "write_sanafe",
]

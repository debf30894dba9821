"""What a spiking network does on silicon: exact spikes, counts, joules. Needs no torch.

qnet, verdicts = hwsim.quantize(net, chip, samples)
plan = hwsim.compile(qnet, chip)
run = hwsim.simulate(plan, samples)
bill = hwsim.price(run.counts, chip)
"""

from hwsim.chips.files import chip_names, copy_chip, load_chip, load_price_list
from hwsim.chips.spec import ChipSpec
from hwsim.counts import Counts, Critical
from hwsim.energy import Bill, price
from hwsim.mapping.partition import DoesNotFit
from hwsim.mapping.plan import Plan
from hwsim.mapping.plan import compile_network as compile
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.network_file import load_network, save_network
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.quantization import Verdict, quantize
from hwsim.simulation import Run, simulate
from hwsim.synapses import Conv2d, Dense, Sparse

__all__ = [
    "Bill",
    "ChipSpec",
    "Conv2d",
    "Counts",
    "Critical",
    "Dense",
    "DoesNotFit",
    "FixedNeuron",
    "GradedVec",
    "Network",
    "Neuron",
    "Plan",
    "Population",
    "Projection",
    "Run",
    "SigmaDelta",
    "Sparse",
    "Verdict",
    "WeightWord",
    "chip_names",
    "compile",
    "copy_chip",
    "load_chip",
    "load_network",
    "load_price_list",
    "price",
    "quantize",
    "save_network",
    "simulate",
]

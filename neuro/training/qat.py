"""Quantisation-aware training for integer cores: what is evaluated is what the chip runs.

A quantised block keeps real master weights and a fixed scale S. Training runs in floats on the
rounded values (straight-through: gradients pass the rounding as if it were not there); evaluation
runs the chip's integers, products in exact float arithmetic and neurons in int64.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwsim.arrays import AnyArray
from hwsim.chips.spec import ChipSpec
from hwsim.network import Population, Shape, WeightWord
from hwsim.neuron import BIAS_EXP_MAX, BIAS_MANT_MAX, V_TH_MAX, FixedNeuron, Neuron
from hwsim.quantization import choose_scales, fixed_neuron, quantize_weights
from neuro.models.stack import Block, Stack, SynapseModule
from neuro.spiking.delay import Delay
from neuro.spiking.fused import run
from neuro.spiking.recurrent import run_loop
from neuro.to_network import export

FLOAT32_EXACT = 1 << 24
U_HALF = 1 << 23
V_MAX = (1 << 23) - 1


class QuantBlock(nn.Module):
    """A folded block in a chip's integers.

    Args:
        block: without BatchNorm. shape: of its neurons. scale: integer units per real unit.
        word: how weights are stored. name: for errors.
    """

    def __init__(
        self, block: Block, shape: Shape, scale: float, word: WeightWord, name: str = "block"
    ) -> None:
        super().__init__()
        if block.norm is not None:
            raise ValueError("fold BatchNorm before quantisation (`Stack.folded`)")
        if block.neurons.emits == "graded":
            raise ValueError(
                f"layer {name!r} has graded spikes, whose payloads training in integers does not "
                "carry: train in floats and quantise afterwards"
            )
        self.synapses, self.neurons, self.dropout = block.synapses, block.neurons, block.dropout
        self.feedback = block.feedback
        self.shape, self.scale, self.word = shape, scale, word
        fixed_neuron(Population(name, shape, None), self.real_neuron(), scale)  # or it raises

    def forward(self, spikes: Tensor) -> Tensor:
        """Training: floats on rounded values. Evaluation: the chip's integers (int64 out)."""
        if not self.training:
            return self.integer_steps(spikes)
        out = self._float_steps(spikes)
        return out if self.dropout is None else self.dropout(out)

    def real_neuron(self) -> Neuron:
        """The master neuron."""
        return self.neurons.neuron(self.shape)

    def fixed(self) -> FixedNeuron:
        """The integers of the neurons; what training moved beyond its word stands at its end."""
        neuron, largest = self.real_neuron(), (BIAS_MANT_MAX << BIAS_EXP_MAX) / (64 * self.scale)
        held = replace(
            neuron,
            bias=np.clip(neuron.bias, -largest, largest),
            v_th=np.clip(neuron.v_th, 0, V_TH_MAX / self.scale),
        )
        return fixed_neuron(Population("block", self.shape, None), held, self.scale)

    def weights_of(self, synapses: SynapseModule) -> AnyArray:
        """The integers of the weights of the block's synapses, or of its feedback."""
        weight = synapses.weight.detach().double().cpu().numpy() * self.neurons.input_gain
        return quantize_weights(weight, self.scale, self.word)

    def target_shape(self, source: Shape) -> Shape:
        """Shape of the neurons."""
        return self.shape

    def _float_steps(self, spikes: Tensor) -> Tensor:
        weight, fixed = self._rounded_weight(self.synapses), self.fixed()
        device, dtype = weight.device, weight.dtype

        def real(values: AnyArray, unit: float) -> Tensor:
            return torch.as_tensor(values / unit, dtype=dtype, device=device)

        neurons = self.neurons
        v_th = neurons.v_th + (real(fixed.v_th, self.scale) - neurons.v_th).detach()
        bias: Tensor | float = 0.0
        if neurons.bias is not None:
            rounded = real(fixed.bias, 64 * self.scale).reshape(neurons.bias.shape)
            bias = neurons.bias + (rounded - neurons.bias).detach()
        decay_u, decay_v = real(4095 - fixed.du, 4096), real(4096 - fixed.dv, 4096)
        a = _product(self.synapses, weight, spikes.to(dtype))
        if self.feedback is None:
            return run(a, neurons, decay_u, decay_v, v_th, bias)[0]
        back = self._rounded_weight(self.feedback)
        return run_loop(a, back, neurons, decay_u, decay_v, v_th, bias)[0]

    def _rounded_weight(self, synapses: SynapseModule) -> Tensor:
        """The chip's weights in real numbers; the gradient passes straight through."""
        step, (low, high) = self.word.step, self.word.range
        scaled = synapses.weight * (self.scale * self.neurons.input_gain)
        return _rounded(scaled.clamp(low, high), step) / self.scale

    @torch.no_grad()
    def integer_steps(self, spikes: Tensor) -> Tensor:
        """The chip's integers, step by step: spikes, or the potential of a read-out, int64.

        A plain spike carries no number: whatever is not zero arrives as one.
        """
        weight = self._exact_weight(self.synapses, spikes.device)
        plain = (spikes != 0).to(weight.dtype)
        with torch.autocast(spikes.device.type, enabled=False):  # halves would round the sums
            a = _product(self.synapses, weight, plain, exact=True).to(torch.int64)
            back = None if self.feedback is None else self._exact_weight(self.feedback, a.device)
            return fixed_lif(a, self.fixed(), back)

    def _exact_weight(self, synapses: SynapseModule, device: torch.device) -> Tensor:
        """The chip's integers in a float type that adds them up without rounding."""
        weight = torch.as_tensor(self.weights_of(synapses), device=device)
        largest = float(weight.abs().flatten(1).sum(1).max())
        return weight.to(torch.float32 if largest < FLOAT32_EXACT else torch.float64)


def fixed_lif(a: Tensor, neuron: FixedNeuron, feedback: Tensor | None = None) -> Tensor:
    """The time loop of `FixedNeuron` on whole numbers (time, batch, *neurons), int64.

    Args:
        feedback: whole weights (to, from) of the spikes of one step ago, in floats.
    """

    def per_neuron(values: AnyArray) -> Tensor:
        return torch.as_tensor(np.array(values), device=a.device)

    keep_u, keep_v = per_neuron(4095 - neuron.du), per_neuron(4096 - neuron.dv)
    v_th, bias = per_neuron(neuron.v_th << 6), per_neuron(neuron.bias)
    u, v, rest, s = (torch.zeros_like(a[0]) for _ in range(4))
    out = []
    for a_t in a.unbind(0):
        if feedback is not None:
            a_t = a_t + F.linear(s.to(feedback.dtype), feedback).to(torch.int64)
        u = _toward_zero(u * keep_u) + (a_t << 6)
        u = torch.where(u > U_HALF, u - 2 * U_HALF, u)
        u = torch.where(u <= -U_HALF, u + 2 * U_HALF, u)
        v = (_toward_zero(v * keep_v) + u + bias).clamp(-V_MAX, V_MAX)
        if neuron.emits == "nothing":
            out.append(v)
            continue
        if neuron.refractory:
            v = torch.where(rest > 0, 0, v)
            rest = (rest - 1).clamp(min=0)
        s = (v > v_th).to(torch.int64)
        rest = torch.where(s > 0, neuron.refractory, rest) if neuron.refractory else rest
        out.append(s)
        if neuron.reset == "zero":
            v = v * (1 - s)
        elif neuron.reset == "subtract":
            v = v - v_th * s
    return torch.stack(out)


def quantised(stack: Stack, chip: ChipSpec, samples: AnyArray) -> Stack:
    """A stack of quantised blocks for the chip, ready for fine-tuning.

    Args:
        stack: trained, in floats. samples: calibration input (samples, steps, *input shape).
    """
    folded = stack.folded().eval()
    scales = choose_scales(export(folded), chip, samples)
    return with_scales(folded, chip, scales)


def with_scales(folded: Stack, chip: ChipSpec, scales: dict[str, float]) -> Stack:
    """Quantised blocks at given scales, e.g. those of a checkpoint."""
    folded.check_score()
    word = WeightWord(n_bits=min(8, chip.limits.weight_bits))
    for name, block, shape in folded.shapes():  # what the chip has not is said before training
        neuron = block.neurons.neuron(shape)
        fixed_neuron(Population(name, shape, None), neuron, scales[name], chip.limits)
    blocks: dict[str, nn.Module] = {
        name: QuantBlock(block, shape, scales[name], word, name)
        for name, block, shape in folded.shapes()
    }
    return Stack(blocks, folded.input_shape)


def _rounded(x: Tensor, step: int) -> Tensor:
    """Nearest multiple of `step`; the gradient passes straight through."""
    return x + (torch.round(x / step) * step - x).detach()


def _product(synapses: nn.Module, weight: Tensor, spikes: Tensor, *, exact: bool = False) -> Tensor:
    """Synapses with other weights, over (time, batch, *shape); delays are whole, as on a chip."""
    if isinstance(synapses, Delay):
        return synapses.with_weight(spikes, weight, rounded=True, exact=exact)
    flat = spikes.flatten(0, 1)
    if isinstance(synapses, nn.Conv2d):
        a = F.conv2d(flat, weight, None, synapses.stride, synapses.padding, synapses.dilation,
                     synapses.groups)  # fmt: skip
    else:
        a = F.linear(flat.flatten(1), weight)
    return a.unflatten(0, spikes.shape[:2])


def _toward_zero(x: Tensor) -> Tensor:
    """`sign(x) (|x| >> 12)`."""
    return torch.sign(x) * (x.abs() >> 12)

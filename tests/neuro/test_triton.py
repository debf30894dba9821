"""The kernels of a GPU without one: interpreted they are the plain loop, and they compile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from neuro.spiking import LIF, Delay, surrogate
from neuro.spiking.fused import fused_lif, has_kernel
from neuro.spiking.recurrent import fused_recurrent

triton = pytest.importorskip("triton", reason="the extra `gpu` is not installed")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.runtime import driver  # noqa: E402

from neuro.spiking import triton_loop  # noqa: E402

OLD = "ignore:Conversion of an array with ndim:DeprecationWarning"  # what Triton 3.6 asks of NumPy
HERE = Path(__file__).parent
HALVES = {torch.float16: "cvt.rn.f16", torch.bfloat16: "cvt.rn.bf16"}  # rounded to nearest
LAYERS = {
    "most": (LIF(), torch.float32),
    "half": (LIF(decay_u=0.5, reset="subtract", reset_late=True, spike=surrogate("fast_sigmoid")),
             torch.bfloat16),
    "double": (LIF(refractory=2, fires="reached", spike=surrogate("sigmoid")), torch.float64),
    "graded": (LIF(emits="graded", reset="subtract", detach_reset=False, spike=surrogate("box")),
               torch.float16),
    "late zero": (LIF(decay_u=0.5, reset_late=True, detach_reset=False,
                      spike=surrogate("triangle")), torch.float32),
    "potential": (LIF(emits="nothing", refractory=1), torch.float32),
}  # fmt: skip


class Hopper:
    """What Triton asks of the driver of an H100 or H200 before it launches."""

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Assembly of every launch, which goes as far as one can without a GPU: to machine code."""

    def compile_only(kernel, *arrays, **words):
        assert {each.device.type for each in arrays if isinstance(each, torch.Tensor)} == {"meta"}
        words |= {"BLOCK": triton_loop.BLOCK, **triton_loop.EXACT}
        code = kernel.warmup(*arrays, **words, grid=(1,)).asm
        assert code["cubin"]
        ptx.append(code["ptx"])

    ptx = []
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(triton_loop, "launch", compile_only)
    monkeypatch.setattr(driver, "_active", Hopper())
    return ptx


def elsewhere(*shape, kind=torch.float32):
    """A tensor that is not on the CPU, and has no values."""
    return torch.empty(shape, dtype=kind, device="meta", requires_grad=True)


def test_the_kernels_are_the_plain_loops():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", OLD,
               str(HERE / "triton_cases.py")]  # fmt: skip
    how = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **how}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_compiles_for_a_gpu(name, compiled):
    layer, kind = LAYERS[name]
    whole = torch.float64 if kind == torch.float64 else torch.float32
    a, bias = elsewhere(7, 2, 3, 4, kind=kind), elsewhere(4, kind=whole)
    decays, v_th = (0.0, 0.9), 1.0
    if name != "most":
        decays = elsewhere(3, 1, kind=whole), elsewhere(3, 4, kind=whole)
        v_th = elsewhere(5, 3, 4, kind=whole)
    out, state = fused_lif(a, layer, *decays, v_th, bias)
    assert (out.dtype, out.device.type, state.v.dtype) == (kind, "meta", whole)
    out.sum().backward()
    assert bias.grad.shape == (4,)
    assert name == "most" or decays[1].grad.shape == (3, 4)
    assert len(compiled) == 2
    for assembly in compiled:
        assert ".target sm_90" in assembly
        assert "st.global" in assembly
        assert HALVES.get(kind, "") in assembly
        assert kind == torch.float64 or "fma." not in assembly  # an exponential of doubles has


def test_a_recurrent_layer_takes_a_kernel_between_products(compiled):
    a, weight = elsewhere(2, 3, 4), elsewhere(4, 4)
    out, _ = fused_recurrent(a, weight, LIF(), 0.0, 0.9, 1.0, 0.0)
    out.sum().backward()
    assert weight.grad.shape == (4, 4)
    assert len(compiled) == 4  # one step each, forward and backward


def test_tensors_on_a_gpu_take_the_kernels(monkeypatch):
    with FakeTensorMode():
        kinds = *HALVES, torch.float32, torch.float64
        on_gpu = [torch.empty(3, 2, 4, dtype=kind, device="cuda") for kind in kinds]
    assert all(has_kernel(a, LIF()) for a in on_gpu)
    assert not has_kernel(on_gpu[2], LIF(spike=torch.sigmoid))
    monkeypatch.setenv("NEURO_TRITON", "0")
    assert not has_kernel(on_gpu[2], LIF())
    assert not has_kernel(torch.empty(3, 2, 4, dtype=torch.float16), LIF())


@pytest.mark.parametrize("training", [True, False])
def test_delays_need_no_cpu(training):
    layer = Delay(3, 4, n_taps=5).train(training).to("meta")
    x = elsewhere(6, 2, 3)
    layer(x).sum().backward()
    assert layer.weight.grad.device.type == x.grad.device.type == "meta"

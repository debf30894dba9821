"""A module of snnTorch, taken straight, fires here as it does there."""

import numpy as np
import pytest
import snntorch
import torch
from torch import nn

import hwsim
import neuro

RESETS = ("subtract", "zero", "none")
N_IN, N = 6, 9


def dyadic(module):
    """Weights as multiples of 2^-6: sums are the same in float32, in any order."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.round(p * 2 * 64) / 64)
    return module


def neurons(reset):
    """Every kind of spiking layer that is taken, of N neurons."""
    same = {"reset_mechanism": reset, "init_hidden": True}
    betas = torch.linspace(0.25, 0.875, N).mul(64).round().div(64)
    yield snntorch.Leaky(0.75, **same)
    yield snntorch.Leaky(betas, threshold=torch.full((N,), 0.5), learn_beta=True, **same)
    yield snntorch.Leaky(1.5, learn_threshold=True, **same)  # clamped to 1
    yield snntorch.Lapicque(0.75, threshold=0.25, **same)
    yield snntorch.Lapicque(R=2.0, C=4.0, threshold=0.25, **same)
    yield snntorch.Synaptic(0.5, 0.75, **same)
    yield snntorch.Synaptic(betas.flip(0), betas, learn_alpha=True, **same)
    yield snntorch.RLeaky(0.75, linear_features=N, **same)
    yield snntorch.RLeaky(0.75, V=betas - 0.5, all_to_all=False, **same)
    yield snntorch.RSynaptic(0.5, 0.75, linear_features=N, **same)
    yield snntorch.RSynaptic(0.5, 0.75, V=-0.25, all_to_all=False, **same)
    if reset != "subtract":
        yield snntorch.Leaky(0.75, reset_delay=False, **same)
        yield snntorch.Synaptic(0.5, 0.75, reset_delay=False, **same)


def fired(net, x, *names):
    """Spikes of a network by layer, for inputs (steps, samples, ...)."""
    frames = np.moveaxis(x.numpy(), 1, 0).astype(float)
    run = hwsim.simulate(
        net, frames.reshape(*frames.shape[:2], *net.inputs[0].shape), record="spikes"
    )
    return [np.moveaxis(run.spikes[name], 1, 0) for name in names]


def theirs(module, x):
    """What the module itself gives in float32, step by step from cleared states."""
    for layer in module.modules():
        if isinstance(layer, snntorch.SpikingNeuron):
            layer.reset_mem()
    with torch.no_grad():
        return np.array([module(step).flatten(1).numpy() for step in x])


@pytest.mark.parametrize(
    ("reset", "which"),
    [(r, i) for r in RESETS for i in range(len(list(neurons(r))))],
)
def test_every_layer_under_every_reset_fires_as_in_snntorch(reset, which):
    torch.manual_seed(which)
    layer = list(neurons(reset))[which]
    net = dyadic(nn.Sequential(nn.Linear(N_IN, N))).append(layer)
    if getattr(layer, "all_to_all", False):
        dyadic(layer.recurrent)
    x = (torch.rand(60, 3, N_IN) < 0.5).float()
    found = neuro.from_snntorch(net, [N_IN])
    assert [(v.kind, v.grade) for v in found.verdicts] == [
        ("Linear", "exact"),
        (type(layer).__name__, "exact"),
    ]
    expected = theirs(net, x)
    assert 10 < expected.sum() < expected.size
    assert np.array_equal(fired(found.network, x, "1")[0], expected)


def test_what_only_hands_spikes_on_is_looked_through():
    torch.manual_seed(0)
    middle = snntorch.Leaky(0.5, threshold=0.25, init_hidden=True, reset_mechanism="zero")
    last = snntorch.RSynaptic(
        0.5, 0.5, linear_features=3, threshold=0.25, init_hidden=True, output=True
    )
    net = nn.Sequential(nn.Conv2d(1, 2, 3), middle, nn.Dropout(0.5), nn.Identity(), nn.Flatten())
    net = dyadic(net.append(nn.Linear(32, 3)).append(last)).eval()
    x = (torch.rand(20, 2, 1, 6, 6) < 0.5).float()
    found = neuro.from_snntorch(net, [1, 6, 6])
    assert [v.node for v in found.verdicts] == ["0", "1", "5", "6"]
    with torch.no_grad():
        expected = np.array([net(step)[0].numpy() for step in x])
    assert 10 < expected.sum() < expected.size
    assert np.array_equal(fired(found.network, x, "6")[0], expected)


class Loop(nn.Module):
    """As the tutorials of snnTorch write it: states by hand, steps inside `forward`."""

    def __init__(self):
        super().__init__()
        self.out = snntorch.Leaky(0.5, reset_mechanism="zero")  # registered first, called last
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.hidden = snntorch.Synaptic(0.5, 0.75, reset_mechanism="zero")
        self.pool = nn.AvgPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * 9, 5)

    def forward(self, x):
        syn, mem = self.hidden.init_synaptic()
        mem_out = self.out.init_leaky()
        spikes = []
        for step in range(x.shape[0]):
            spk, syn, mem = self.hidden(self.norm(self.conv(x[step])), syn, mem)
            cur = self.fc(self.drop(self.pool(spk)).view(x.shape[1], -1))
            spk_out, mem_out = self.out(cur, mem_out)
            spikes.append(spk_out)
        return torch.stack(spikes)


def trained_loop():
    torch.manual_seed(3)
    net = dyadic(Loop())
    net.norm.running_mean.copy_(torch.tensor([0.25, -0.5, 0.0, 0.125]))
    net.norm.running_var.fill_(0.25 - net.norm.eps)
    net((torch.rand(4, 2, 2, 6, 6) < 0.5).float()).sum().backward()  # leaves states of a batch
    net.eval()
    return net


def test_a_class_is_followed_whatever_its_forward_looks_like():
    net = trained_loop()
    x = (torch.rand(20, 3, 2, 6, 6) < 0.4).float()
    found = neuro.from_snntorch(net, x)
    assert [v.node for v in found.verdicts] == ["conv", "norm", "hidden", "pool", "fc", "out"]
    assert {v.grade for v in found.verdicts} == {"exact"}
    assert found.network.output == "out"
    assert type(found.network.into("hidden")[0].synapses) is hwsim.Conv2d
    expected = net(x).detach().numpy()
    assert 10 < expected.sum() < expected.size
    assert np.array_equal(fired(found.network, x, "out")[0], expected)


def test_the_module_stays_as_it_was():
    net = trained_loop().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    neuro.from_snntorch(net, (torch.rand(4, 1, 2, 6, 6) < 0.5).float())
    assert net.training
    assert net.fc.weight.dtype is torch.float32
    assert torch.get_default_dtype() is torch.float32
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not net.fc._forward_hooks
    assert not net.fc._forward_pre_hooks


def test_it_goes_to_a_chip_and_to_a_file(tmp_path):
    x = (torch.rand(20, 3, 2, 6, 6) < 0.4).float()
    net = neuro.from_snntorch(trained_loop(), x, dt_s=5e-3).network
    assert net.dt_s == 5e-3
    hwsim.save_network(net, tmp_path / "net.h5")
    assert hwsim.load_network(tmp_path / "net.h5").digest == net.digest
    chip = hwsim.load_chip("loihi2")
    frames = np.moveaxis(x.numpy(), 1, 0)
    plan = hwsim.compile(hwsim.quantize(net, chip, frames)[0], chip)
    assert hwsim.simulate(plan, frames.astype(int)).counts is not None


def chain(*more):
    return nn.Sequential(nn.Linear(N_IN, N), *more)


def leaky(**more):
    return snntorch.Leaky(0.75, init_hidden=True, **more)


def changed(name, value):
    """A layer of which something was set after it was made."""
    layer = leaky()
    setattr(layer, name, value)
    return layer


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (snntorch.Alpha(0.9, 0.8), "train a Synaptic"),
        (nn.MaxPool2d(2), "train with AvgPool2d"),
        (nn.ReLU(), "build the network of these"),
        (nn.AvgPool2d(3, ceil_mode=True), "ceil_mode=False"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), "train with zeros"),
        (nn.BatchNorm1d(N, track_running_stats=False), "track_running_stats=True"),
        (changed("inhibition", True), "inhibition"),
        (leaky(graded_spikes_factor=2.0), "graded_spikes_factor"),
        (leaky(threshold=-1.0), "below 0"),
        (changed("reset_mechanism", "zero"), "make it anew"),
        (snntorch.Synaptic(1.0, 0.5), "never decays"),
        (snntorch.Lapicque(0.1), "at least 1 / e"),
        (snntorch.RSynaptic(0.5, 0.5, linear_features=N, reset_delay=False), "reset_delay=True"),
        (snntorch.SLSTM(N, N), "known are"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_layer_that_cannot_be_taken_is_named_with_the_way_out(layer, said):
    found = neuro.from_snntorch(chain(layer, leaky()), [N_IN])
    assert found.network is None
    bad = [v for v in found.verdicts if v.grade == "unsupported"]
    assert [(v.node, v.kind) for v in bad] == [("1", type(layer).__name__)]
    assert said in bad[0].reason


class Odd(nn.Module):
    """Two layers and something between them that no layer says."""

    def __init__(self, between):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(N_IN, N), leaky()
        self.fc2, self.lif2 = nn.Linear(N, N), leaky()
        self.between = between

    def forward(self, x):
        return self.between(self, x)


def negated(self, x):
    return self.lif2(self.fc2(-self.lif1(self.fc1(x))))


def in_place(self, x):
    return self.lif2(self.fc2(self.lif1(self.fc1(x)).mul_(2)))


def skipped(self, x):
    spikes = self.lif1(self.fc1(x))
    return self.lif2(self.fc2(spikes) + spikes)


def cleared(self, x):
    self.lif1.reset_mem()
    return self.lif2(self.fc2(self.lif1(self.fc1(x))))


def twice(self, x):
    return self.lif2(self.fc2(self.lif1(self.fc2(self.lif1(self.fc1(x))))))


def elsewhere(self, x):
    return self.lif1(self.lif1(self.fc1(x)) * 1.0)


def constant(self, x):
    current = self.fc1(x)
    for _ in range(3):
        out = self.lif2(self.fc2(self.lif1(current)))
    return out


def broken(self, x):
    return self.fc1(x[:, :2])


def unbatched(self, x):
    return self.lif1(self.fc1(x[0]))


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (negated, "no layer made"),
        (in_place, "changes it on the way"),
        (skipped, "no layer made"),
        (cleared, "fires otherwise than in the module"),
        (twice, "in its call 2 what 'fc2' gave in its call 1"),
        (elsewhere, "use a layer in one place"),
        (constant, "in its call 2 what 'fc1' gave in its call 1"),
        (broken, "does not run on this sample"),
        (unbatched, "axis of the batch"),
        (lambda self, x: self.fc1(x), "no spiking layer"),
    ],
)
def test_a_forward_that_is_no_network_is_refused(between, said):
    torch.manual_seed(0)
    net = Odd(between)
    with torch.no_grad():
        net.fc1.weight *= 3
        net.fc2.weight *= 3
    with pytest.raises(ValueError, match=said) as error:
        neuro.from_snntorch(net, [N_IN])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("module", "sample", "said"),
    [
        (None, [N_IN], "no `nn.Module`"),
        (chain(leaky()), "abc", "whole numbers of 1 or more"),
        (chain(leaky()), [-1], "whole numbers of 1 or more"),
        (chain(leaky()), [], "whole numbers of 1 or more"),
        (chain(leaky()), None, "whole numbers of 1 or more"),
        (chain(leaky()), torch.zeros(1, N_IN + 1), "does not run on this sample"),
    ],
)
def test_arguments_that_mean_nothing_are_named(module, sample, said):
    with pytest.raises(ValueError, match=said):
        neuro.from_snntorch(module, sample)


def test_batch_norm_that_does_not_fold_is_refused():
    with pytest.raises(ValueError, match=r"'2' .BatchNorm1d.*folds only into a Linear"):
        neuro.from_snntorch(chain(leaky(), nn.BatchNorm1d(N), leaky()), [N_IN])


def test_a_threshold_taken_off_at_once_is_approximate_and_counted():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), leaky(reset_delay=False))
    nn.init.ones_(net[0].weight)
    verdict = neuro.from_snntorch(net, torch.tensor([[3.0], [0.25]] * 8)).verdicts[1]
    assert verdict.grade == "approximate"
    assert "twice the threshold" in verdict.reason
    assert "values differ on the sample" in verdict.reason


def test_a_layer_that_never_fired_says_that_nothing_was_compared():
    net = chain(leaky(threshold=1e6))
    assert "silent" in neuro.from_snntorch(net, [N_IN]).verdicts[1].reason


def test_conv1d_neurons_of_two_axes_are_images_of_height_one():
    torch.manual_seed(0)
    betas = torch.full((3, 8), 0.75)
    net = dyadic(nn.Sequential(nn.Conv1d(2, 3, 3, padding=1))).append(
        snntorch.Leaky(betas, threshold=0.25, init_hidden=True)
    )
    x = (torch.rand(30, 2, 2, 8) < 0.5).float()
    found = neuro.from_snntorch(net, [2, 8])
    assert found.network["1"].shape == (3, 1, 8)
    expected = theirs(net, x)
    assert expected.sum() > 10
    assert np.array_equal(fired(found.network, x, "1")[0], expected)


def test_a_convolution_may_be_the_loop():
    torch.manual_seed(0)
    layer = snntorch.RLeaky(
        0.5,
        conv2d_channels=3,
        kernel_size=3,
        threshold=0.5,
        init_hidden=True,
        reset_mechanism="zero",
    )
    net = dyadic(nn.Sequential(nn.Conv2d(1, 3, 3), layer))
    x = (torch.rand(30, 2, 1, 6, 6) < 0.5).float()
    found = neuro.from_snntorch(net, [1, 6, 6])
    expected = theirs(net, x)
    assert 10 < expected.sum() < expected.size
    assert np.array_equal(fired(found.network, x, "1")[0], expected)

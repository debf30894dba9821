"""A small random network under construction, as run_lava.py describes them."""

import numpy as np
from run_lava import INPUT

SIGN_MODES = ("mixed", "excitatory", "inhibitory", None)


class Net:
    """A network under construction: random numbers, JSON description and arrays."""

    def __init__(self, name, seed, input_shape, n_steps, *, rate=0.3, payload=None):
        """An input of plain spikes, or of payloads from the range `payload`."""
        self.rng = np.random.default_rng(seed)
        self.description = {
            "name": name,
            "seed": seed,
            "input_shape": list(input_shape),
            "populations": [],
            "projections": [],
        }
        spikes = self.rng.random((n_steps, int(np.prod(input_shape)))) < rate
        low, high = payload or (1, 1)
        self.arrays = {}
        self.inputs = spikes * self.rng.integers(low, high, spikes.shape, endpoint=True)

    def shape(self, number):
        """Shape of a population, or of the input."""
        if number == INPUT:
            return self.description["input_shape"]
        return self.description["populations"][number]["shape"]

    def size(self, number):
        """Neurons of a population, or of the input."""
        return int(np.prod(self.shape(number)))

    def _store(self, name, value):
        """A number stays in the description, an array goes to the arrays (None marks it)."""
        if isinstance(value, str | bool | float):
            return value
        if np.ndim(value) == 0:
            return int(value)
        self.arrays[name] = np.asarray(value)
        return None

    def neurons(self, shape, *, reset=(None, 0), **parameters):
        """Add a population; what is not given is drawn. Returns its number."""
        number = len(self.description["populations"])
        drawn = {
            "du": self.rng.integers(0, 4096),
            "dv": self.rng.integers(0, 4096) // self.rng.integers(1, 20),
            "v_th": self.rng.integers(100, 1000),
            "bias_mant": 0,
            "bias_exp": 0,
        } | parameters
        drawn = {k: self._store(f"population{number}/{k}", v) for k, v in drawn.items()}
        self.description["populations"].append(
            {
                "name": f"p{number}",
                "shape": list(shape),
                "reset_interval": reset[0],
                "reset_offset": reset[1],
                **drawn,
            }
        )
        return number

    def others(self, kind, shape, **parameters):
        """Add a population of another kind, all of its parameters given. Returns its number."""
        number = len(self.description["populations"])
        stored = {k: self._store(f"population{number}/{k}", v) for k, v in parameters.items()}
        self.description["populations"].append(
            {
                "name": f"p{number}",
                "shape": list(shape),
                "kind": kind,
                "reset_interval": None,
                "reset_offset": 0,
                **stored,
            }
        )
        return number

    def ternary(self, shape, **parameters):
        """Add ternary neurons; what is not given is drawn."""
        drawn = {
            "du": self.rng.integers(0, 4096),
            "dv": self.rng.integers(0, 4096) // self.rng.integers(1, 20),
            "v_th": self.rng.integers(50, 600),
            "v_th_low": -self.rng.integers(50, 600),
            "bias_mant": 0,
            "bias_exp": 0,
        }
        return self.others("ternary", shape, **drawn | parameters)

    def sigma_delta(self, shape, **parameters):
        """Add sigma-delta neurons."""
        plain = {"bias": 0, "activation": "relu", "cum_error": False, "spike_exp": 0}
        return self.others("sigma_delta", shape, **plain | {"state_exp": 0} | parameters)

    def delta(self, shape, **parameters):
        """Add encoders."""
        plain = {"cum_error": False, "spike_exp": 0, "state_exp": 0}
        return self.others("delta", shape, **plain | parameters)

    def sparse(self, source, target, *, density=0.3, low=-256, high=255, delays=None, **words):
        """Join two populations by few synapses, with delays up to `delays` where that is given."""
        shape = [int(np.prod(self.shape(end))) for end in (target, source)]
        to, from_ = np.nonzero(self.rng.random(shape) < density)
        weight = self.rng.integers(low, high, to.size, endpoint=True)
        number = self.project("sparse", source, target, weight, **words)
        self.arrays |= {f"projection{number}/to": to, f"projection{number}/from": from_}
        if delays is not None:
            self.description["projections"][number]["kind"] = "delay_sparse"
            drawn = self.rng.integers(0, delays, to.size, endpoint=True)
            drawn[: min(1, to.size)] = delays
            self.arrays[f"projection{number}/delays"] = drawn
        return number

    def each_to_its_own(self, source, target, weight=1, **words):
        """Join neuron i to neuron i: how values reach encoders."""
        eye = np.eye(int(np.prod(self.shape(target))), dtype=int) * weight
        return self.project("dense", source, target, eye, **{"sign_mode": "excitatory", **words})

    def project(self, kind, source, target, weight, **words):
        """Join two populations by given weights. Returns the projection's number."""
        number = len(self.description["projections"])
        self.arrays[f"projection{number}/weight"] = weight
        self.description["projections"].append(
            {
                "kind": kind,
                "source": source,
                "target": target,
                "num_weight_bits": 8,
                "weight_exp": 0,
                "sign_mode": "mixed",
                "num_message_bits": 0,
                "stride": [1, 1],
                "padding": [0, 0],
                "dilation": [1, 1],
                "groups": 1,
                **words,
            }
        )
        return number

    def dense(self, source, target, *, low=-256, high=255, delays=None, **words):
        """Join two populations all to all, with delays up to `delays` where that is given."""
        shape = [int(np.prod(self.shape(end))) for end in (target, source)]
        weight = self.rng.integers(low, high, shape, endpoint=True)
        if delays is None:
            return self.project("dense", source, target, weight, **words)
        number = self.project("delay_dense", source, target, weight, **words)
        drawn = self.rng.integers(0, delays, shape, endpoint=True)
        drawn.flat[0] = delays
        self.arrays[f"projection{number}/delays"] = drawn
        return number

    def conv(self, source, channels, kernel, *, low=-256, high=255, neuron=None, **geometry):
        """Add a population of images behind a convolution."""
        c, height, width = self.shape(source)
        weight_shape = (channels, c // geometry.get("groups", 1), *kernel)
        size = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                (height, width),
                kernel,
                geometry.get("stride", (1, 1)),
                geometry.get("padding", (0, 0)),
                geometry.get("dilation", (1, 1)),
                strict=True,
            )
        ]
        target = self.neurons((channels, *size), **(neuron or {}))
        weight = self.rng.integers(low, high, weight_shape, endpoint=True)
        self.project("conv", source, target, weight, **geometry)
        return target

"""Multiply-accumulates of training: what a frozen encoder saves."""

from dataclasses import dataclass

FORWARD_AND_BACKWARD = 3  # a product's own, and one each for the gradient of weights and of inputs


@dataclass(frozen=True, slots=True)
class Macs:
    """Multiply-accumulates of training.

    Attributes:
        encoder: of the recurrent layers: forward and backward in every epoch if they are trained;
            forward once for every recording if they are frozen.
        head: of what is trained on top.
    """

    encoder: int
    head: int

    @property
    def total(self) -> int:
        """Of both."""
        return self.encoder + self.head

    def __add__(self, other: "Macs") -> "Macs":
        """Of two networks that are trained together."""
        return Macs(self.encoder + other.encoder, self.head + other.head)


def training_macs(
    n_inputs: int,
    n_neurons: int,
    n_out: int,
    *,
    n_steps: int,
    n_samples: int,
    epochs: int,
    head_steps: int = 1,
    n_recordings: int | None = None,
) -> Macs:
    """Multiply-accumulates to train a recurrent layer and its head.

    A forward pass is every dense product: `n_inputs x n_neurons` and `n_neurons x n_neurons` in
    every step, `n_neurons x n_out` in every step of the head. What is trained costs three times
    that for every sample of every epoch: forward, the gradient of the weights, the gradient of the
    inputs (also where nothing needs it). Products are dense: zeros of sparse spikes are counted.
    All that is not such a product is left out: neurons, the optimiser, and of a contrastive loss
    the dot products of a batch's embeddings.

    Args:
        n_samples: of an epoch; a pair counts once on each side.
        head_steps: how often the head acts on a sample: 1 on counts or a mean, `n_steps` if it
            hears spikes.
        n_recordings: of a frozen layer, which each passes once, forward, before training; None: the
            layer is trained.
    """
    seen = n_samples * epochs
    step = (n_inputs + n_neurons) * n_neurons
    passes = FORWARD_AND_BACKWARD * seen if n_recordings is None else n_recordings
    head = FORWARD_AND_BACKWARD * n_neurons * n_out * head_steps * seen
    return Macs(step * n_steps * passes, head)

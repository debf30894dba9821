"""One network on two kinds of chip: a cut between layers, spikes handed over."""

from dataclasses import replace

from hwsim.network import Network, Population


def split_network(net: Network, later: tuple[str, ...]) -> tuple[Network, Network]:
    """Cut a network in two: the first sends, the second (the populations of `later`) listens.

    Populations that the second hears are inputs of it, by their own names, and what they send in
    the first is what it takes. The first answers by the first of them.

    Raises:
        ValueError: if a name is unknown or an input, if nothing is left for one of the two, or if
            the second would send back to the first.
    """
    layers = [p.name for p in net.populations if p.neuron is not None]
    for name in later:
        if name not in layers:
            raise ValueError(f"{name!r} is no layer, there are {', '.join(layers)}")
    if not set(layers) - set(later) or not later:
        raise ValueError("a cut needs layers on both sides: name some of them, not all")
    into = [p for p in net.projections if p.target in later]
    for p in net.projections:
        if p.source in later and p.target not in later:
            raise ValueError(
                f"{p.source} -> {p.target} goes back over the cut: put {p.target!r} behind it too"
            )
    heard = tuple(dict.fromkeys(p.source for p in into if p.source not in later))
    first_parts = tuple(p for p in net.populations if p.name not in later)
    answers = [name for name in heard if net[name].neuron is not None]
    first = Network(
        first_parts,
        tuple(p for p in net.projections if p.target not in later),
        net.dt_s,
        net.output if net.output not in later else (answers or [first_parts[-1].name])[0],
    )
    listening = tuple(
        replace(p, neuron=None) if p.name in heard else p
        for p in net.populations
        if p.name in heard or p.name in later
    )
    output = net.output if net.output in later else later[-1]
    return first, Network(_inputs_first(listening), tuple(into), net.dt_s, output)


def _inputs_first(populations: tuple[Population, ...]) -> tuple[Population, ...]:
    return tuple(sorted(populations, key=lambda p: p.neuron is not None))

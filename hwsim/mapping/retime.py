"""Give every spike the one step a chip needs, and say by how much each population runs late."""

from hwsim.network import Network, Projection


def retime(net: Network) -> tuple[Network, dict[str, int]]:
    """Shift populations in time so that every projection takes at least one step.

    A population shifted by `s` does at chip step `t + s` what it does at step `t` of `net`; a
    projection p -> q then takes `delay + s(q) - s(p)` steps. The shifts are the smallest that
    make this 1 or more: in a stack without delays, the number of projections passed.

    Returns:
        The network with the chip's delays, and the shift of each population.

    Raises:
        ValueError: if a cycle has fewer steps of delay than projections.
    """
    shift = {p.name: 0 for p in net.populations}
    for _ in range(len(shift) + 1):
        late = [p for p in net.projections if shift[p.target] < _earliest(p, shift)]
        if not late:
            return _delayed(net, shift), shift
        for p in late:
            shift[p.target] = max(shift[p.target], _earliest(p, shift))
    names = " -> ".join(dict.fromkeys(p.target for p in late))
    raise ValueError(
        f"the cycle through {names} has fewer steps of delay than projections: a chip needs one "
        "step for each, so raise a delay"
    )


def _earliest(p: Projection, shift: dict[str, int]) -> int:
    return shift[p.source] + 1 - int(p.delay.min())


def _delayed(net: Network, shift: dict[str, int]) -> Network:
    projections = tuple(
        Projection.of(
            p.source,
            p.target,
            p.synapses,
            delay=p.delay + shift[p.target] - shift[p.source],
            gain=p.gain,
            word=p.word,
        )
        for p in net.projections
    )
    return Network(net.populations, projections, net.dt_s, net.output)

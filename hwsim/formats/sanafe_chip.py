"""A chip as SANA-FE's architecture file [Boyle2025], with cores for what it has no other place for.

Its tiles are numbered column by column, ours row by row. Tile 0 has a core more, on which inputs
sit as neurons that cost nothing. Where neurons with a bias start late (see `sanafe_net`), every
tile has one for the neurons that hold them until then; they cost nothing either.
"""

from typing import Any

from hwsim.chips.spec import ChipSpec, Constant
from hwsim.mapping.load import SOP

Unit = dict[str, Any]

SOMA, INPUT, HOLD, HOLD_SYNAPSE = "lif", "input", "hold", "hold_synapse"
SOMA_EVENTS = ("access_neuron", "update_neuron", "spike_out")
TABLES = {"energy": "energy", "latency": "time"}  # of our chip, by SANA-FE's word
SYNAPSES = {kind: f"{kind.__name__.lower()}_synapse" for kind in SOP}
SIDES = {"north": "hop_ns", "south": "hop_ns", "east": "hop_ew", "west": "hop_ew"}


def architecture(chip: ChipSpec, n_inputs: int, n_held: int) -> str:
    """The text of the file, for so many inputs and so many populations that are held.

    Raises:
        ValueError: if the chip has a tick, or one of its constants is not known.
    """
    if chip.time.tick is not None:
        raise ValueError(
            f"chip {chip.name} has a tick of {chip.time.tick.value} s, SANA-FE's steps are as "
            "long as their work: export for a chip without `time.tick`"
        )
    mesh = chip.mesh
    attributes = {
        "topology": "mesh",
        "width": mesh.columns,
        "height": mesh.rows,
        "link_buffer_size": 16,
        "sync_model": "table",
        "latency_sync": {
            tiles: _known(chip, f"time.barrier.{tiles}", barrier)
            for tiles, barrier in sorted(chip.time.barrier.items())
        },
    }
    n_tiles, held = mesh.columns * mesh.rows, n_held > 0
    cores = [_core(chip, f"core[0..{mesh.cores_per_tile - 1}]", held=held)]
    cores += [_source(chip, HOLD, n_held, sends_free=True)] if held else []
    entry = [_source(chip, INPUT, n_inputs, sends_free=False)] if n_inputs else []
    tiles = [_tile(chip, "tile[0]", [*cores, *entry])]
    tiles += [_tile(chip, f"tile[1..{n_tiles - 1}]", cores)] if n_tiles > 1 else []
    content = {"architecture": {"name": chip.name, "attributes": attributes, "tile": tiles}}
    return "\n".join(_yaml(content)) + "\n"


def place(chip: ChipSpec, core: int) -> tuple[int, int]:
    """SANA-FE's numbers of a core: its tile's, and its own on that tile."""
    x, y = chip.tile_xy(core)
    return x * chip.mesh.rows + y, core % chip.mesh.cores_per_tile


def _tile(chip: ChipSpec, name: str, cores: list[Unit]) -> Unit:
    hops = {
        f"{what}_{side}_hop": _price(chip, what, event)
        for side, event in SIDES.items()
        for what in TABLES
    }
    return {"name": name, "attributes": hops, "core": cores}


def _core(chip: ChipSpec, name: str, *, held: bool) -> Unit:
    """A core of the chip; with a synapse for what holds its neurons, where any are held."""
    soma = _prices(chip, access_neuron="update_inactive", spike_out="spike")
    for what in TABLES:  # an active update is an access, and an update on top
        active = _price(chip, what, "update_active")
        soma[f"{what}_update_neuron"] = active - soma[f"{what}_access_neuron"]
    synapses = [
        _unit(unit, "current_based", _prices(chip, process_spike=SOP[kind]))
        for kind, unit in SYNAPSES.items()
    ]
    if held:
        free = dict.fromkeys(_prices(chip, process_spike="sop"), 0.0)
        synapses.append(_unit(HOLD_SYNAPSE, "current_based", free))
    return _pipeline(
        name,
        chip.limits.neurons_per_core,
        synapses,
        _unit(SOMA, "leaky_integrate_fire", soma),
        _prices(chip, message_in="packet_in"),
        _prices(chip, message_out="packet"),
    )


def _source(chip: ChipSpec, name: str, n: int, *, sends_free: bool) -> Unit:
    """A core of neurons that send given spikes, and cost nothing but what they send."""
    nothing = dict.fromkeys([f"{what}_{event}" for event in SOMA_EVENTS for what in TABLES], 0.0)
    sent = _prices(chip, message_out="packet")
    return _pipeline(
        name,
        n,
        [_unit("unused", "current_based", {f"{what}_process_spike": 0.0 for what in TABLES})],
        _unit(f"{name}[0..{n - 1}]", "input", nothing),
        {f"{what}_message_in": 0.0 for what in TABLES},
        dict.fromkeys(sent, 0.0) if sends_free else sent,
    )


def _pipeline(
    name: str,
    n_neurons: int,
    synapses: list[Unit],
    soma: Unit,
    heard: dict[str, float],
    sent: dict[str, float],
) -> Unit:
    limits = {"max_neurons_supported": n_neurons}
    free = {f"{what}_update": 0.0 for what in TABLES}
    return {
        "name": name,
        "attributes": {"buffer_position": "soma", "buffer_inside_unit": False, **limits},
        "axon_in": [{"name": "axon_in", "attributes": heard}],
        "synapse": synapses,
        "dendrite": [_unit("dendrite", "accumulator", free)],
        "soma": [soma],
        "axon_out": [{"name": "axon_out", "attributes": sent}],
    }


def _unit(name: str, model: str, prices: dict[str, float]) -> Unit:
    return {"name": name, "attributes": {"model": model, **prices}}


def _prices(chip: ChipSpec, **events: str) -> dict[str, float]:
    """Energy and latency of SANA-FE's events, by the names of ours."""
    return {
        f"{what}_{name}": _price(chip, what, event)
        for name, event in events.items()
        for what in TABLES
    }


def _price(chip: ChipSpec, what: str, event: str) -> float:
    """A constant of the chip; 0 where it is no event of its own."""
    table = TABLES[what]
    prices = getattr(chip, table)
    if event in ("sop_sparse", "sop_conv") and getattr(prices, event) is None:
        event = "sop"
    constant = getattr(prices, event)
    return 0.0 if constant is None else _known(chip, f"{table}.{event}", constant)


def _known(chip: ChipSpec, name: str, constant: Constant) -> float:
    """Its value.

    Raises:
        ValueError: if it is not known: SANA-FE would take it for free.
    """
    if constant.value is None:
        raise ValueError(
            f"`{name}` of chip {chip.name} is not known, SANA-FE needs a number: give it one in a "
            "chip file of your own, or export for another chip"
        )
    return float(constant.value)


def _yaml(content: Any, indent: str = "") -> list[str]:
    """Lines of nested dicts and lists in YAML's block style; no name in them needs quotes."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_yaml(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}:")
            for entry in value:
                first, *rest = _yaml(entry, indent + "    ")
                lines += [f"{indent}  - {first.lstrip()}", *rest]
        else:
            shown = str(value).lower() if isinstance(value, bool) else value
            lines.append(f"{indent}{key}: {shown}")
    return lines

"""`neuro inspect NET`: what a network is made of."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from neuro.cli.console import AsJson, out, print_table
from neuro.cli.opening import Net, open_network

if TYPE_CHECKING:
    from hwsim.inspection import Parameter
    from neuro.runs import RunFolder

COLUMNS = ("neurons", "weights", "synapses", "delay")


def inspect(
    network: Net,
    real: Annotated[
        bool, typer.Option("--real", help="of a run: the network in real numbers")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List a network's layers: shapes, neurons and their parameters, and what arrives.

    Of a run also whether its chip's integers say all of a layer, and if not, why.
    """
    import hwsim

    opened = open_network(network)
    net = opened.network
    if real and opened.run is not None:
        net = hwsim.load_network(opened.run.real_network)
    layers = hwsim.inspect(net)
    verdicts = {} if opened.run is None else _verdicts(opened.run)
    total = {
        "neurons": sum(layer.neurons for layer in layers if layer.kind != "Input"),
        "weights": sum(a.weights for layer in layers for a in layer.arriving),
        "synapses": sum(a.synapses for layer in layers for a in layer.arriving),
    }
    if as_json:
        content = {"network": opened.title, "step_s": net.dt_s, "output": net.output, **total}
        content["layers"] = [
            asdict(layer) | {"verdict": verdicts.get(layer.name)} for layer in layers
        ]
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("layer", "kind", "shape", "from", "by"):
        table.add_column(title, no_wrap=True)
    for title in COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for layer in layers:
        shape = "x".join(map(str, layer.shape))
        head = (escape(layer.name), layer.kind, shape)
        first = layer.arriving[0] if layer.arriving else None
        if first is None:
            table.add_row(*head, "", "", f"{layer.neurons:,}")
        for a in layer.arriving:
            low, high = a.delay
            numbers = (f"{a.weights:,}", f"{a.synapses:,}", str(low) + f"-{high}" * (low < high))
            neurons = f"{layer.neurons:,}" if a is first else ""
            cells = head if a is first else ("", "", "")
            table.add_row(*cells, escape(a.source), a.kind, neurons, *numbers)
    print_table(table)
    said = ", ".join(f"{n:,} {name}" for name, n in total.items())
    for layer in layers:
        if layer.parameters:
            words = ", ".join(f"{k} {_word(v)}" for k, v in layer.parameters.items())
            out.print(f"{layer.name:<10} {words}", markup=False)
        if found := verdicts.get(layer.name):
            why = f": {found['reason']}" if found["reason"] else ""
            out.print(f"{'':<10} {found['verdict']} in integers{why}", markup=False)
    out.print(f"{opened.title}: {said}; a step is {net.dt_s:g} s", markup=False)


def _verdicts(run: "RunFolder") -> dict[str, dict[str, Any]]:
    """What became of every layer of a run when it was carried over to its chip's integers."""
    import hwsim
    from neuro.deploy import verdicts

    found = verdicts(run, hwsim.load_network(run.chip_network))
    return {v.population: {"verdict": v.verdict, "reason": v.reason} for v in found}


def _word(value: "Parameter") -> str:
    """A parameter, or from where to where it goes."""
    if isinstance(value, tuple):
        return f"{value[0]:g} to {value[1]:g}"
    return str(value) if isinstance(value, str | bool) else f"{value:g}"

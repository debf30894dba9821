"""Memory of delays: as plain data, as a line, and as a section of the report."""

from dataclasses import asdict
from typing import Any

from hwsim.energy import delay_area
from hwsim.mapping.delay_memory import DelayBits, delay_memory
from hwsim.mapping.plan import Plan
from hwsim.report import units
from hwsim.report.data import ReportInput
from hwsim.report.markup import Column, Html, join, paragraph, section, table

KIB = 8 * 1024


def delay_json(plan: Plan) -> dict[str, Any]:
    """Delay memory of a plan for JSON; None where something is not known.

    Keys: layers [{layer, steps, values, field_bits, bits: {fields, pending}}], cores [{core,
    fields, pending}], total {fields, pending}, area_m2, and area, the price of a bit.
    """
    found = delay_memory(plan)
    area = delay_area(found.total, plan.chip)
    return {
        "layers": [asdict(layer) for layer in found.layers],
        "cores": [{"core": core, **asdict(bits)} for core, bits in found.cores.items()],
        "total": asdict(found.total),
        "area_m2": area.value,
        "area": area.price.model_dump(by_alias=True),
    }


def delay_line(content: dict[str, Any]) -> str:
    """What `delay_json` gave, in a line."""
    if not content["layers"]:
        return "none: every spike takes one step"
    steps = max(layer["steps"] for layer in content["layers"])
    fields, pending = (kib(content["total"][name]) for name in ("fields", "pending"))
    return (
        f"{fields} in synapses, {pending} for input on its way, up to {steps} steps; "
        f"{units.si(content['area_m2'], 'm2')} of memory"
    )


def kib(bits: int | None) -> str:
    """Bits as KiB.

    >>> kib(25 * 256 * 16)
    '12.5 KiB'
    """
    return units.UNKNOWN if bits is None else f"{units.number(bits / KIB)} KiB"


def delays(data: ReportInput) -> Html:
    """Memory of delays by layer and core; nothing if every spike takes one step."""
    found = delay_memory(data.plan)
    if not found.layers:
        return join([])
    rows = [
        (
            layer.layer,
            *map(units.number, (layer.steps, layer.values, layer.field_bits)),
            kib(layer.bits.fields),
            kib(layer.bits.pending),
        )
        for layer in found.layers
    ]
    titles = ("Longest, steps", "Different", "Bits of one", "In synapses", "Input on its way")
    columns = (Column("Layer"), *(Column(title, numeric=True) for title in titles))
    return section(
        "delays",
        "Delays",
        table("Delays, and the memory that they take", columns, rows, foot=_foot(found.total)),
        paragraph(_said(data, found.cores, found.total)),
        paragraph(_sources(data), class_="note"),
    )


def _foot(total: DelayBits) -> tuple[str, ...]:
    return ("all", "", "", "", kib(total.fields), kib(total.pending))


def _said(data: ReportInput, cores: dict[int, DelayBits], total: DelayBits) -> str:
    most = max(cores, key=lambda core: cores[core].fields + (cores[core].pending or 0))
    area = delay_area(total, data.chip)
    r = area.price.rel_uncertainty
    band = ""
    if area.value and r is not None:
        band = f" {units.spread(area.value, area.value / (1 + r), area.value * (1 + r), 'm2')}"
    return (
        f"Core {most} holds most: {kib(cores[most].fields)} in its synapses, "
        f"{kib(cores[most].pending)} for input on its way. All of it takes "
        f"{units.si(area.value, 'm2')}{band} ({area.price.source})."
    )


def _sources(data: ReportInput) -> str:
    ring = data.chip.limits.pending_input
    where = "How this chip holds input on its way is not known."
    if ring is not None:
        beside = "in the memory of synapses, and counted in its limit"
        place = (
            beside if ring.in_synapse_memory else "in a memory of its own, without a known limit"
        )
        where = f"A sum has {ring.bits} bits ({ring.source}), {place}."
    return (
        f"Delays in synapses are part of synapse memory and its limit. {where} Reading and adding "
        "is in the price of a synaptic operation, leakage in that of a powered core: delays cost "
        "no further energy in this bill."
    )

"""`neuro export`: the same network as files that others read and run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err
from neuro.cli.opening import Net, open_network

if TYPE_CHECKING:
    from hwsim import Network, NodeVerdict


class Target(StrEnum):
    """Where a network can go; `FORMATS` has the function of each."""

    LAVA = "lava"
    NETX = "netx"
    NIR = "nir"
    SANAFE = "sanafe"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked of an export: the network, and the options (None: not given)."""

    network: str
    chip: str | None
    samples: int | None
    sample: int | None
    inputs: Path | None
    verify: bool
    out: Path | None
    root: str | None


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has to say: as JSON, as lines, and whether what was asked of it holds."""

    content: dict[str, Any]
    lines: list[str]
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the function that exports to it, and the options that it knows, `root` besides."""

    export: Callable[[Asked], Exported]
    options: frozenset[str]


def export(
    network: Net,
    to: Annotated[Target, typer.Option(help="format")] = Target.LAVA,
    chip: Annotated[
        str | None,
        typer.Option(help="lava, sanafe: chip that it lies on; else loihi1, loihi1-fitted"),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="lava: test samples to take along; else 10")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=0, help="sanafe: test sample whose spikes go into the files")
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(help="lava: samples for a network file, `.npy`; else random")
    ] = None,
    verify: Annotated[bool, typer.Option(help="lava: run it, compare every spike")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="nir, netx: file, sanafe: folder; else beside the network"
        ),
    ] = None,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Export a network to Lava (inputs and expected spikes with it), NIR, netx or SANA-FE.

    To NIR goes a network file, or a run's network in real numbers. To the others goes a network in
    a chip's integers: to Lava with test samples of a run, or random ones, to SANA-FE with the map
    of a run's deployment if there is one.
    """
    asked = Asked(network, chip, samples, sample, inputs, verify, out, root)
    _check_options(asked, to)
    done = FORMATS[to].export(asked)
    emit(done.content, done.lines, as_json=as_json)
    if not done.holds:
        raise typer.Exit(1)


def _check_options(asked: Asked, to: Target) -> None:
    """Refuse an option that the format does not know: it would be ignored in silence."""
    names = ("chip", "samples", "sample", "inputs", "verify", "out")
    given = {name: getattr(asked, name) for name in names}
    for name, value in given.items():
        if value not in (None, False) and name not in FORMATS[to].options:
            known = " or ".join(f"`--to {t}`" for t, f in FORMATS.items() if name in f.options)
            raise ValueError(f"`--{name}` is for {known}: leave it out with `--to {to}`")


def _to_lava(asked: Asked) -> Exported:
    from hwsim.chips.files import load_neurocores
    from neuro.lava import export_network, export_run, verify

    spec, opened = load_neurocores(asked.chip or "loihi1"), open_network(asked.network)
    n, what = asked.samples or 10, "test samples"
    if opened.run is not None and asked.inputs is not None:
        raise ValueError("`--inputs` is for network files, a run takes its test samples along")
    with compiling_said():
        if opened.run is not None:
            folder = export_run(opened.run, spec, n_samples=n, root=asked.root)
        else:
            samples, what = _samples(opened.network, asked.inputs, n)
            path = Path(asked.network)
            folder = path.with_name(f"{path.stem}-lava")
            folder = export_network(opened.network, spec, samples, folder)
    content: dict[str, Any] = {"folder": str(folder), "input": what}
    lines = [f"lava       {folder}, run it with: uv run --python 3.10 {folder / 'run_lava.py'}"]
    if asked.verify:
        err.print("running Lava (the first time it builds a Python 3.10 environment)")
        content |= verify(opened.network, spec, folder)
        lines.append(content["sentence"])
    return Exported(content, lines, holds=not content.get("n_different"))


def _samples(net: "Network", inputs: Path | None, n: int) -> tuple[Any, str]:
    """Samples for a network of which nothing else is known: of a file, or random."""
    from neuro.mapping import random_samples, samples_from

    if len(net.inputs) != 1:
        raise ValueError(f"the network has {len(net.inputs)} inputs, Lava is given one")
    if inputs is None:
        made = random_samples(net, n, rate=0.05, steps=20, seed=0)
        return made.frames[net.inputs[0].name], made.what
    made = samples_from(inputs, net, n)
    frames = made.frames
    return (frames[net.inputs[0].name] if isinstance(frames, Mapping) else frames), made.what


def _to_nir(asked: Asked) -> Exported:
    import hwsim

    opened = open_network(asked.network)
    if opened.run is None:
        net, path = opened.network, Path(asked.network).with_suffix(".nir")
    else:
        source = opened.run.real_network
        net, path = hwsim.load_network(source), source.with_suffix(".nir")
    path = asked.out or path
    return _written("nir", path, hwsim.write_nir(net, path))


def _to_netx(asked: Asked) -> Exported:
    import hwsim

    opened = open_network(asked.network)
    if opened.run is None:
        path = Path(asked.network).with_suffix(".net")
    else:
        path = opened.run.path / "network.net"
    path = asked.out or path
    if path.suffix.lower() != ".net":
        raise ValueError(f"`--out` is {path}, must end in .net: `neuro import` knows netx by it")
    return _written("netx", path, hwsim.write_netx(opened.network, path))


def _written(name: str, path: Path, verdicts: Sequence["NodeVerdict"]) -> Exported:
    lines = [f"{name:<10} {path}"]
    lines += [f"{v.node}: {v.grade}, {v.reason}" for v in verdicts if v.grade != "exact"]
    return Exported({"file": str(path), "verdicts": [asdict(v) for v in verdicts]}, lines)


def _to_sanafe(asked: Asked) -> Exported:
    import hwsim
    from hwsim.chips.files import load_neurocores
    from neuro.sanafe import place, sample_of

    opened, spec = open_network(asked.network), load_neurocores(asked.chip or "loihi1-fitted")
    if opened.run is None:
        path = Path(asked.network)
        folder = path.with_name(f"{path.stem}-sanafe")
        if asked.sample is not None:
            raise ValueError(
                f"`--sample` is of a run's test set, {path} is a network file: leave it out, or "
                "give spikes to `hwsim.write_sanafe`"
            )
    else:
        folder = opened.run.path / "sanafe"
    folder, sample = asked.out or folder, None
    with compiling_said():
        plan, how = place(opened.network, spec, opened.run)
        if opened.run is not None and asked.sample is not None:
            sample = sample_of(opened.run, asked.sample, asked.root)
        hwsim.write_sanafe(plan, folder, sample=sample)
    content = {"folder": str(folder), "chip": spec.name, "map": how, "sample": asked.sample}
    lines = [f"sana-fe    {folder}: its README.md says how to run it", f"map        {how}"]
    return Exported(content, lines)


FORMATS = {
    Target.LAVA: Format(_to_lava, frozenset({"chip", "samples", "inputs", "verify"})),
    Target.NETX: Format(_to_netx, frozenset({"out"})),
    Target.NIR: Format(_to_nir, frozenset({"out"})),
    Target.SANAFE: Format(_to_sanafe, frozenset({"chip", "sample", "out"})),
}

"""Results as the tables of BENCHMARKS.md."""

from typing import Any

from benchmarks.ours import ALONE, BATCH

Result = dict[str, Any]


def into_page(page: str, name: str, text: str) -> str:
    """A page with `text` between its two lines `<!-- name -->`.

    Raises:
        ValueError: if the page has not two such lines.
    """
    mark = f"<!-- {name} -->\n"
    parts = page.split(mark)
    if len(parts) != 3:
        raise ValueError(f"the page needs two lines `{mark.strip()}`, it has {len(parts) - 1}")
    return mark.join((parts[0], "\n" + text + "\n", parts[2]))


def tables(results: Result) -> str:
    """Markdown: a table of times per workload, rates, goals, and what is unfair."""
    parts = [_workload(result) for result in results["workloads"].values()]
    rest = [_rates(results), _goals(results), _unfair(results)]
    return "\n".join([_machine(results["machine"]), *parts, *rest])


def _machine(machine: Result) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items() if v)
    where = f"{machine['processor']}, {machine['cores']} cores"
    return f"{where}; Python {machine['python']}, {versions}.\n"


def _workload(result: Result) -> str:
    rows = result["seconds_per_sample"]
    spikes = ", ".join(f"{n:,} {name}" for name, n in result["spikes"].items())
    lines = [
        f"### {result['title']}",
        "",
        f"{result['sops_per_sample']:,.0f} synaptic operations a sample; {result['n_alone']} "
        f"samples alone ({spikes} spikes)"
        + (f", {result['n_batch']} in a batch." if result["n_batch"] else "."),
        "",
        "| who | a sample | times ours alone | times ours in a batch | spikes, against ours |",
        "|-|-:|-:|-:|-|",
    ]
    for row, seconds in rows.items():
        alone = f"{seconds / rows[ALONE]:.3g}"
        batch = f"{seconds / rows[BATCH]:.3g}" if BATCH in rows else ""
        lines.append(f"| {row} | {_time(seconds)} | {alone} | {batch} | {_spikes(result, row)} |")
    lines += [f"| {name} | not here: {why} | | | |" for name, why in result["absent"].items()]
    return "\n".join(lines) + "\n"


def _spikes(result: Result, row: str) -> str:
    """What the peer of a row counted, against ours."""
    if row not in result["who"]:
        return "ours"
    facts = result["peers"][result["who"][row]]
    if "n_different" in facts:
        return f"{facts['n_different']} of {sum(facts['spikes'].values()):,} differ"
    off = sum(abs(n - result["spikes"][name]) for name, n in facts["spikes"].items())
    return "equal in every layer" if off == 0 else f"counts differ by {off:,}"


def _rates(results: Result) -> str:
    lines = [
        "| workload | synaptic operations a second | this machine's limit | of it "
        "| counting costs (asked: at most 15 %) | two threads (asked: 1.6) |",
        "|-|-:|-:|-:|-:|-:|",
    ]
    for name, r in results["workloads"].items():
        counting = f"{100 * r['counting']:.0f} %" if "counting" in r else ""
        two = results["two_threads"].get(name)
        speed = f"{two['ratio']:.2f}" if two else ""
        lines.append(
            f"| {name} | {r['sops_per_s'] / 1e9:.3g} G | {r['limit_sops_per_s'] / 1e9:.3g} G "
            f"| {100 * r['of_limit']:.0f} % | {counting} | {speed} |"
        )
    return "\n".join(lines) + "\n"


def _goals(results: Result) -> str:
    lines = ["| workload | how many times slower than | asked | found |", "|-|-|-:|-:|"]
    for goal in results["goals"]:
        found = "not here" if goal["found"] is None else f"{goal['found']:.3g}"
        met = goal["found"] is None or goal["found"] >= goal["asked"]
        lines.append(
            f"| {goal['workload']} | {goal['ours']}: {goal['theirs']} | {goal['asked']:g} "
            f"| {found}{'' if met else ' (missed)'} |"
        )
    return "\n".join(lines) + "\n"


def _unfair(results: Result) -> str:
    """Each peer once: version, set-up of its first workload, and what to keep in mind."""
    lines: dict[str, str] = {}
    for result in results["workloads"].values():
        for name, facts in result["peers"].items():
            set_up = f", set-up {_time(facts['set_up_s'])}" if "set_up_s" in facts else ""
            lines.setdefault(name, f"- {facts['version']}{set_up}. {facts['unfair']}")
    named = [line.replace("- ", f"- {name} ", 1) for name, line in lines.items()]
    return "\n".join(named) + "\n"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"

"""The page on crossbars: what it prints runs as it is printed."""

import re
from pathlib import Path

import numpy as np

import hwsim
from tests.crossbar_chips import chip_with, layered, spikes

PAGE = Path(__file__).parents[2] / "docs" / "crossbar.md"


def test_every_snippet_of_the_page_runs_as_it_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("wafer.csv").write_text("# unit: uS\n1,2,3\n4,5,6\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    known = {
        "np": np, "hwsim": hwsim, "Path": Path, "rng": rng,
        "g_wanted": rng.uniform(0, 25e-6, (8, 6)),
        "x": rng.uniform(-1, 1, (5, 8)), "low": -1e-5, "high": 1e-5, "v": rng.uniform(0, 0.2, 8),
        "net": layered(rng), "chip": chip_with(), "samples": spikes(rng, 3), "test": spikes(rng, 2),
    }  # fmt: skip
    snippets = re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(snippets) == 6
    for snippet in snippets:
        exec(re.sub("^    ", "", snippet, flags=re.MULTILINE), known)
    assert known["sd"].shape == known["g"].shape == (8, 6)
    assert known["currents"].shape == (5, 6)
    assert known["at"].i_bit.shape == (6,)
    assert known["bill"].energy_j > 0
    assert known["plan"].together == ((0, 1),)
    assert known["run"].output.shape == (2, 9)

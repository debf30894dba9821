"""netx files that are broken, or mean what no network here computes: one line, nothing executed."""

import h5py
import numpy as np
import pytest

from hwsim.formats.netx_read import read_netx
from hwsim.formats.netx_write import write_netx
from tests.netx_cases import conv, made


def file_with(path, change):
    """A valid file, then changed."""
    write_netx(made(conv)[0], path)
    with h5py.File(path, "r+") as file:
        change(file["layer"])


def put(name, value):
    """Replace a field; None removes it."""

    def change(layers):
        if name in layers:
            del layers[name]
        if value is not None:
            layers[name] = value

    return change


def huge(layers):
    del layers["1/weight"]
    layers["1"].create_dataset("weight", (2**20, 2**20), "f8", chunks=(1024, 1024))


def bomb(layers):
    layers["1"].create_dataset(
        "bomb", (2**15, 2**17), "u1", chunks=(2**10, 2**10), compression="gzip"
    )


def linked(layers):
    del layers["1/weight"]
    layers["1/weight"] = h5py.ExternalLink("/etc/hostname", "/x")


def nested(layers):
    layers["1/inside"] = layers["1"]


def gap(layers):
    layers.move("2", "7")


def two_inputs(layers):
    layers.copy("0", "5")


def without_input(layers):
    for i in range(4):
        layers.move(str(i + 1), str(i)) if i else (layers.__delitem__("0"), layers.move("1", "0"))


BROKEN = {
    "no type": (put("1/type", None), "layer 1 has no `type`"),
    "unknown type": (put("1/type", np.array(["lstm"], "S10")), "of type 'lstm', netx knows"),
    "no weights": (put("1/weight", None), "layer 1 has no `weight`"),
    "empty weights": (put("1/weight", np.zeros((0, 2, 3, 2))), "`weight` is empty"),
    "text for weights": (put("1/weight", "heavy"), "layer 1 has no `weight`"),
    "complex": (put("1/weight", np.zeros((4, 2, 3, 2), "c16")), "of type complex128"),
    "not a number": (put("1/weight", np.full((4, 2, 3, 2), np.nan)), "`weight` holds a NaN"),
    "fractions": (put("1/weight", np.full((4, 2, 3, 2), 0.5)), "must be whole numbers"),
    "flat kernel": (put("1/weight", np.ones(48)), "layer 1: convolution weights are"),
    "channels": (put("1/weight", np.ones((4, 3, 3, 2))), "layer 1|do not join"),
    "dense shape": (put("4/weight", np.ones((5, 61))), r"`weight` is \(5, 61\), must be \(5, 60\)"),
    "shape of a layer": (put("1/shape", [4, 0, 7]), "shape"),
    "shape of the image": (put("1/shape", [4, 5, 7]), "do not join"),
    "stride": (put("1/stride", [0, 1]), "stride"),
    "groups": (put("2/groups", 3), "do not divide into 3 groups"),
    "decay": (put("1/neuron/iDecay", 5000), "`du` is 4999, outside"),
    "threshold": (put("1/neuron/vThMant", 2**20), "`v_th` is 1048576"),
    "bias": (put("1/bias", np.ones(3)), r"`bias` is \(3,\), must be one number for each of 4"),
    "delay": (put("4/delay", np.full((5, 60), 63)), "0..63 steps|reaches 63..63"),
    "delay shape": (put("4/delay", np.ones(7)), r"`delay` is \(7,\)"),
    "gap": (gap, "numbers them from 0 without a gap"),
    "millions of neurons": (put("0/shape", [2, 7_000, 80_000]), "at most 33,554,432 are read"),
    "word": (put("1/word", [8, 0, 9]), "must be bits, exponent, sign"),
    "word too wide": (put("1/word", [80, 0, 0]), "weights have 80 bits"),
    "two inputs": (two_inputs, "is a second input"),
    "no input": (without_input, "comes first, so nothing says how large"),
    "huge": (huge, "at most 2,147,483,648 are read"),
    "bomb": (bomb, "at most 2,147,483,648 are read"),
    "link": (linked, "is a link to elsewhere"),
    "cycle of links": (nested, "deeper than 32"),
    "no layers": (lambda layers: layers.parent.__delitem__("layer"), "no group `layer`"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name):
    change, said = BROKEN[name]
    path = tmp_path / "net.net"
    file_with(path, change)
    with pytest.raises(ValueError, match=said) as error:
        read_netx(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))


@pytest.mark.parametrize("content", [b"", b"\x80\x04cos\nsystem\n.", b"HDF"])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    (tmp_path / "net.net").write_bytes(content)
    with pytest.raises(ValueError, match="no readable netx file"):
        read_netx(tmp_path / "net.net")


def test_a_truncated_file_is_refused(tmp_path):
    file_with(tmp_path / "net.net", lambda layers: None)
    content = (tmp_path / "net.net").read_bytes()
    (tmp_path / "net.net").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated or of another kind"):
        read_netx(tmp_path / "net.net")


UNSUPPORTED = {
    "average": (put("4/type", np.array(["average"], "S10")), "averages groups"),
    "concat": (put("2/type", np.array(["concat"], "S10")), "lava-dl's own reader"),
    "no neuron": (put("4/neuron", None), "names no neuron"),
    "resonator": (put("1/neuron/type", "RF"), "neurons of type 'RF'"),
    "graded": (put("1/neuron/gradedSpike", True), "graded spikes"),
    "exponent": (put("1/neuron/wgtExp", 2), "`wgtExp` is 2"),
    "no memory": (put("1/neuron/vDecay", 4096), "`vDecay` is 4096"),
    "delayed": (put("1/delay", np.ones(4)), "delays, which lava-dl's reader ignores"),
    "wide": (put("4/weight", np.full((5, 60), 131) * np.array([1, -1] * 30)), "no word of 8 bits"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_no_network_here_computes_gets_a_verdict(tmp_path, name):
    change, said = UNSUPPORTED[name]
    file_with(tmp_path / "net.net", change)
    found = read_netx(tmp_path / "net.net")
    assert found.network is None
    bad = [v for v in found.verdicts if v.grade == "unsupported"]
    assert said in bad[0].reason
    assert all("is not read" in v.reason for v in bad[1:])


def test_text_without_an_end_is_refused_before_hdf5_reads_it_for_ever(tmp_path):
    """Free space of no size in the heap of a file's words: the library would not come back."""
    path = tmp_path / "net.net"
    file_with(path, lambda layers: None)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    at, end = heap + 16, heap + int.from_bytes(content[heap + 8 : heap + 16], "little")
    while number := int.from_bytes(content[at : at + 2], "little"):
        at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
    assert (number, at < end) == (0, True)
    content[at + 8 : at + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: a table of its text has no end"):
        read_netx(path)

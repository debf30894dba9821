"""Recordings and the images that they were made of."""

from dataclasses import replace

import numpy as np
import pytest
from neuro.datasets import load, mnist_index
from scipy.ndimage import gaussian_filter

from tests.datasets.test_interface import ELSEWHERE


@pytest.fixture
def root(data):
    data(ELSEWHERE["nmnist-small"])
    return data(ELSEWHERE["mnist"])


def images_of(recordings, root):
    """The MNIST images of a split, which are all of one part."""
    [part] = set(mnist_index(recordings)[0].tolist())
    return load("mnist", part, root=root).take(mnist_index(recordings)[1])


@pytest.mark.parametrize("name", ["nmnist-small", "nmnist-slice"])
@pytest.mark.parametrize("split", ["train", "test", "fit", "hold"])
def test_a_recording_and_its_image_have_the_same_label(root, name, split):
    recordings = load(name, split, root=root)
    assert (mnist_index(recordings)[0] == ("test" if split == "test" else "train")).all()
    assert np.array_equal(images_of(recordings, root).labels, recordings.labels)


def edges(images):
    """What a moving camera sees of images (n, 28, 28): their edges, smeared, (n, 34, 34)."""
    field = np.zeros((len(images), 34, 34))
    field[:, 3:31, 3:31] = images
    steep = sum(np.abs(np.diff(field, axis=axis, append=0)) for axis in (1, 2))
    return gaussian_filter(steep, (0, 1.5, 1.5))


def correlations(summed, seen):
    """Of every recording with what it should have seen, both (n, 34, 34), at the best of 9 places.

    The best, as the camera did not look at the same place every time.
    """
    best = np.full(len(summed), -1.0)
    for shift in np.ndindex(3, 3):
        moved = np.roll(seen, np.array(shift) - 1, axis=(1, 2))
        both = [x - x.mean(axis=(1, 2), keepdims=True) for x in (summed, moved)]
        one, other = (x / np.linalg.norm(x, axis=(1, 2), keepdims=True) for x in both)
        best = np.maximum(best, (one * other).sum(axis=(1, 2)))
    return best


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_recording_resembles_its_image_more_than_another_one_of_the_digit(root, split):
    recordings = load("nmnist-small", split, root=root)
    images = images_of(recordings, root)
    summed = np.zeros((len(recordings), 34, 34))
    for i, (events, _) in enumerate(recordings):
        np.add.at(summed[i], (events["y"], events["x"]), 1)
    seen = edges(np.stack([image[0] for image, _ in images]))
    other = np.empty(len(images), int)
    for digit in range(10):
        members = np.flatnonzero(images.labels == digit)
        other[members] = np.roll(members, 1)
    own, others = correlations(summed, seen), correlations(summed, seen[other])
    assert np.mean(own > others) > 0.97
    assert own.mean() > others.mean() + 0.1


def test_the_parts_of_nmnist_in_full_are_numbered_apart():
    named = load("nmnist-slice").take([0, 1, 2])
    keys = np.array(["5/00001.bin", "0/00002.bin", "9/10000.bin"])
    for split in ("train", "fit", "test"):
        part, index = mnist_index(replace(named, name="nmnist", split=split, keys=keys))
        assert part.tolist() == ["test" if split == "test" else "train"] * 3
        assert index.tolist() == [0, 1, 9999]


def test_what_is_no_recording_of_mnist_is_an_error():
    with pytest.raises(ValueError, match="digits was not made of MNIST images: take a set of"):
        mnist_index(load("digits", "test"))
    named = load("nmnist-slice").take([0])
    for name, key in (("nmnist", "5/0.bin"), ("nmnist-small", "70001.bs2"), ("nmnist", "x.bin")):
        wrong = replace(named, name=name, keys=np.array([key]))
        with pytest.raises(ValueError, match=rf"{key}, must be a number of 1 to .0000: rename"):
            mnist_index(wrong)

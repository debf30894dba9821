"""What is known of each data set without opening it: counts, licence, source, how to get it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import emnist, handwriting
from .interface import Kind, data_root


@dataclass(frozen=True, slots=True)
class Info:
    """One data set, in the words of `neuro data info`."""

    name: str
    title: str
    kind: Kind
    sample_shape: tuple[int, ...]
    n_classes: int
    n_train: int
    n_test: int
    duration_s: float | None  # nominal; None for still images
    licence: str
    source: str
    citation: str
    how_to_get: str  # what to do when it is not here; reads on after a colon
    files: tuple[str, ...] = ()  # patterns under the root, all must be there; empty: embedded
    splits: str = "train, test; fit and hold are parts of train"

    def present(self, root: Path | str | None = None) -> bool:
        """Whether the files are there."""
        folder = data_root(root)
        return all(any(folder.glob(pattern)) for pattern in self.files)


_EMBEDDED = "it comes with the program, nothing to get"
_ORCHARD = (
    "Orchard, Jayawant, Cohen, Thakor: Converting static image datasets to spiking neuromorphic "
    "datasets using saccades. Front. Neurosci. 9:437, 2015"
)
_CRAMER = (
    "Cramer, Stradmann, Schemmel, Zenke: The Heidelberg spiking data sets for the systematic "
    "evaluation of spiking neural networks. IEEE Trans. Neural Netw. Learn. Syst. 33(7), 2022"
)
_ZENKE = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/"
_WARDEN = (
    "Warden: Speech Commands: a dataset for limited-vocabulary speech recognition. "
    "arXiv:1804.03209, 2018"
)
_GSC_FOLDER = "SpeechCommands/speech_commands_v0.02"
_GSC_FILES = tuple(f"{_GSC_FOLDER}/{file}" for file in ("validation_list.txt", "testing_list.txt"))
_GSC_HOW = (
    f"run `neuro data fetch gsc` (2.4 GB), or unpack speech_commands_v0.02.tar.gz in {_GSC_FOLDER}"
)
_GSC_SPLITS = "train, valid (9,981), test (published); fit is train, hold is valid"
_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

_ALL = (
    Info(
        name="digits",
        title="Handwritten digits of scikit-learn, seen by a simulated event camera",
        kind="events",
        sample_shape=(2, 34, 34),
        n_classes=10,
        n_train=1438,
        n_test=359,
        duration_s=0.315,
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
        source="https://archive.ics.uci.edu/dataset/80",
        citation="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits. UCI, 1998",
        how_to_get=_EMBEDDED,
    ),
    Info(
        name="nmnist",
        title="N-MNIST, real event-camera recordings of MNIST",
        kind="events",
        sample_shape=(2, 34, 34),
        n_classes=10,
        n_train=60_000,
        n_test=10_000,
        duration_s=0.315,
        licence="CC BY-SA 4.0",
        source="https://www.garrickorchard.com/datasets/n-mnist",
        citation=_ORCHARD,
        how_to_get="run `neuro data fetch nmnist` (1.2 GB)",
        files=tuple(f"NMNIST/{part}/{digit}" for part in ("Train", "Test") for digit in range(10)),
    ),
    Info(
        name="nmnist-small",
        title="N-MNIST, 950 of its recordings",
        kind="events",
        sample_shape=(2, 34, 34),
        n_classes=10,
        n_train=850,
        n_test=100,
        duration_s=0.315,
        licence="CC BY-SA 4.0",
        source="https://github.com/bamsumit/slayerPytorch",
        citation=_ORCHARD,
        how_to_get=(
            "zip the recordings in test/test_files/NMNISTsmall of "
            "https://github.com/bamsumit/slayerPytorch with lists train850.txt and test100.txt "
            "(a header, then `sample<TAB>class` lines) as nmnist-small/nmnist_small.zip"
        ),
        files=("nmnist-small/nmnist_small.zip",),
    ),
    Info(
        name="nmnist-slice",
        title="N-MNIST, 70 of its recordings, part of this program",
        kind="events",
        sample_shape=(2, 34, 34),
        n_classes=10,
        n_train=50,
        n_test=20,
        duration_s=0.315,
        licence="CC BY-SA 4.0, see datasets/nmnist_slice/LICENSE.md",
        source="https://www.garrickorchard.com/datasets/n-mnist",
        citation=_ORCHARD,
        how_to_get=_EMBEDDED,
    ),
    Info(
        name="mnist",
        title="MNIST, still images of handwritten digits",
        kind="frames",
        sample_shape=(1, 28, 28),
        n_classes=10,
        n_train=60_000,
        n_test=10_000,
        duration_s=None,
        licence="CC BY-SA 3.0, as usually cited",
        source="https://ossci-datasets.s3.amazonaws.com/mnist/",
        citation="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document "
        "recognition. Proc. IEEE 86(11), 1998",
        how_to_get="run `neuro data fetch mnist` (11 MB)",
        files=tuple(f"mnist/{file}" for file in _IDX),
    ),
    Info(
        name="fashion-mnist",
        title="Fashion-MNIST, still images of clothes",
        kind="frames",
        sample_shape=(1, 28, 28),
        n_classes=10,
        n_train=60_000,
        n_test=10_000,
        duration_s=None,
        licence="MIT, Zalando SE",
        source="https://github.com/zalandoresearch/fashion-mnist",
        citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking "
        "machine learning algorithms. arXiv:1708.07747, 2017",
        how_to_get="run `neuro data fetch fashion-mnist` (31 MB)",
        files=tuple(f"fashion-mnist/{file}" for file in _IDX),
    ),
    Info(
        name="emnist-letters",
        title="E-MNIST letters, still images of handwritten letters, upper and lower case in one",
        kind="frames",
        sample_shape=(1, 28, 28),
        n_classes=26,
        n_train=124_800,
        n_test=20_800,
        duration_s=None,
        licence="none stated; of NIST Special Database 19, a work of the US government",
        source="https://www.nist.gov/itl/products-and-services/emnist-dataset",
        citation="Cohen, Afshar, Tapson, van Schaik: EMNIST: extending MNIST to handwritten "
        "letters. Int. Joint Conf. Neural Networks, 2017",
        how_to_get="run `neuro data fetch emnist-letters` (562 MB), or put the "
        "emnist-letters-*-ubyte.gz of NIST's gzip.zip into emnist",
        files=tuple(f"emnist/{file}" for part in emnist.FILES.values() for file in part),
    ),
    Info(
        name="fsdd",
        title="Spoken digits of 5 speakers (6 where fetched), heard by a cochlea of 64 channels",
        kind="events",
        sample_shape=(64,),
        n_classes=10,
        n_train=2000,
        n_test=500,
        duration_s=1.0,
        licence="CC BY-SA 4.0",
        source="https://github.com/Jakobovski/free-spoken-digit-dataset",
        citation="Jackson et al.: Free Spoken Digit Dataset v1.0.9, 2018",
        how_to_get="run `neuro data fetch fsdd` (15 MB)",
        files=("fsdd/*.zip",),
        splits=(
            "train, test (speaker theo); fit and hold are parts of train; train-without-SPEAKER, "
            "only-SPEAKER; index-train, index-test (published, recordings 0 to 4); index-fit and "
            "index-hold are parts of index-train"
        ),
    ),
    Info(
        name="braille",
        title="Braille letters under a tactile fingertip, 12 taxels",
        kind="frames",
        sample_shape=(12,),
        n_classes=7,
        n_train=980,
        n_test=280,
        duration_s=1.28,
        licence="BSD-3-Clause (the package nir); the recordings' own was not stated",
        source="https://doi.org/10.5281/zenodo.7050094",
        citation="Müller-Cleve et al.: Braille letter reading: a benchmark for spatio-temporal "
        "pattern recognition on neuromorphic hardware. Front. Neurosci. 16:951164, 2022",
        how_to_get=(
            "save the tensors of paper/03_rnn/data in https://github.com/neuromorphs/NIR as "
            "braille-spikes/braille7_train_val.npz (arrays x_train, y_train, x_val, y_val)"
        ),
        files=("braille-spikes/braille7_train_val.npz",),
        splits="train, test (the published validation part); fit and hold are parts of train",
    ),
    Info(
        name="handwriting",
        title="Letters a paralysed person tried to write, spikes of 192 electrodes in the cortex",
        kind="frames",
        sample_shape=(192,),
        n_classes=26,
        n_train=572,
        n_test=130,
        duration_s=2.01,
        licence="CC0 1.0 (Dryad)",
        source="https://doi.org/10.5061/dryad.wh70rxwmv",
        citation="Willett, Avansino, Hochberg, Henderson, Shenoy: High-performance brain-to-text "
        "communication via handwriting. Nature 593, 2021",
        how_to_get=(
            "download handwritingBCIData.tar.gz (1.4 GB) from "
            "https://doi.org/10.5061/dryad.wh70rxwmv in a browser and unpack from it "
            f"{handwriting.FILE}"
        ),
        files=(str(handwriting.FILE),),
        splits="train, test (our own: none is published); fit and hold are parts of train",
    ),
    Info(
        name="shd",
        title="Spiking Heidelberg Digits, English and German, through a model of the inner ear",
        kind="events",
        sample_shape=(700,),
        n_classes=20,
        n_train=8156,
        n_test=2264,
        duration_s=1.4,
        licence="CC BY 4.0",
        source=_ZENKE,
        citation=_CRAMER,
        how_to_get="run `neuro data fetch shd`, or put shd_train.h5 and shd_test.h5, unpacked, "
        "into SHD",
        files=("SHD/shd_train.h5", "SHD/shd_test.h5"),
        splits="train, test (published); fit and hold are parts of train: hold is speakers 10, 11",
    ),
    Info(
        name="ssc",
        title="Spiking Speech Commands, 35 words through a model of the inner ear",
        kind="events",
        sample_shape=(700,),
        n_classes=35,
        n_train=75_466,
        n_test=20_382,
        duration_s=1.0,
        licence="CC BY 4.0",
        source=_ZENKE,
        citation=_CRAMER,
        how_to_get="run `neuro data fetch ssc`, or put ssc_train.h5, ssc_valid.h5 and ssc_test.h5, "
        "unpacked, into SSC",
        files=tuple(f"SSC/ssc_{part}.h5" for part in ("train", "valid", "test")),
        splits="train, valid (9,981), test (published); fit is train, hold is valid",
    ),
    Info(
        name="gsc",
        title="Google Speech Commands v0.02, 35 words, a second in 140 mel bands, analogue",
        kind="analogue",
        sample_shape=(140,),
        n_classes=35,
        n_train=84_843,
        n_test=11_005,
        duration_s=1.01,
        licence="CC BY 4.0",
        source="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        citation=_WARDEN,
        how_to_get=_GSC_HOW,
        files=_GSC_FILES,
        splits=_GSC_SPLITS,
    ),
    Info(
        name="gsc-spikes",
        title="Google Speech Commands v0.02, 35 words, heard by a cochlea of 64 channels",
        kind="events",
        sample_shape=(64,),
        n_classes=35,
        n_train=84_843,
        n_test=11_005,
        duration_s=1.0,
        licence="CC BY 4.0",
        source="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        citation=_WARDEN,
        how_to_get=_GSC_HOW,
        files=_GSC_FILES,
        splits=_GSC_SPLITS,
    ),
)
INFO = {info.name: info for info in _ALL}

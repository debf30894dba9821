"""Downloads, by tonic: into a folder of their own, checked, and only then moved to their place."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .emnist import FILES as EMNIST_FILES
from .emnist import FOLDER as EMNIST_FOLDER
from .fsdd import RECORDING
from .speech_commands import FOLDER


@dataclass(frozen=True, slots=True)
class Download:
    """A file, and what it must be."""

    url: str
    file: str
    md5: str  # of the file
    sha256: str  # of what is in the gzip


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_TRAIN_X, _TRAIN_Y = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_TEST_X, _TEST_Y = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

# md5 as the publishers give it; sha256 is our own, of the content
IDX_DOWNLOADS = {
    "mnist": (
        Download(
            _MNIST,
            _TRAIN_X,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        Download(
            _MNIST,
            _TRAIN_Y,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        Download(
            _MNIST,
            _TEST_X,
            "9fb629c4189551a2d022fa330f9573f3",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        Download(
            _MNIST,
            _TEST_Y,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": (
        Download(
            _FASHION,
            _TRAIN_X,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        Download(
            _FASHION,
            _TRAIN_Y,
            "25c81989df183df01b3e8a0aad5dffbe",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        Download(
            _FASHION,
            _TEST_X,
            "bef4ecab320f06d8554ea6380940ec79",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        Download(
            _FASHION,
            _TEST_Y,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}
EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"  # torchvision's
FSDD_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip"
GSC_URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
GSC_SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"  # torchaudio's
FSDD_LEAST = 2500  # recordings of the five speakers that every version has


def fetch_idx(name: str, root: Path) -> Path:
    """The four files of `mnist` or `fashion-mnist`."""
    from tonic.download_utils import download_url

    with _staging(root) as staging:
        for download in IDX_DOWNLOADS[name]:
            url = download.url + download.file
            _download(download_url, url, str(staging), filename=download.file, md5=download.md5)
            check_content(staging / download.file, download.sha256)
        (root / name).mkdir(exist_ok=True)
        for download in IDX_DOWNLOADS[name]:
            (staging / download.file).replace(root / name / download.file)
    return root / name


def fetch_emnist(root: Path) -> Path:
    """The four files of E-MNIST's letters, out of the archive of all its parts."""
    from tonic.download_utils import download_url

    goal = root / EMNIST_FOLDER
    files = [file for part in EMNIST_FILES.values() for file in part]
    with _staging(root) as staging:
        archive = staging / "gzip.zip"
        _download(download_url, EMNIST_URL, str(staging), filename=archive.name, md5=EMNIST_MD5)
        try:
            with zipfile.ZipFile(archive) as parts:
                for file in files:
                    (staging / file).write_bytes(parts.read(f"gzip/{file}"))
        except (zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise ValueError(f"{EMNIST_URL}: not the archive it was ({error}): try again") from None
        goal.mkdir(exist_ok=True)
        for file in files:
            (staging / file).replace(goal / file)
    return goal


def fetch_fsdd(root: Path) -> Path:
    """The archive of the repository, checked by its checksums and its number of recordings."""
    from tonic.download_utils import download_url

    with _staging(root) as staging:
        _download(download_url, FSDD_URL, str(staging), filename="fsdd.zip")
        check_recordings(staging / "fsdd.zip")
        (root / "fsdd").mkdir(exist_ok=True)
        (staging / "fsdd.zip").replace(root / "fsdd" / "fsdd.zip")
    return root / "fsdd"


def fetch_nmnist(root: Path) -> Path:
    """Both parts of N-MNIST by tonic, which knows their addresses and md5."""
    from tonic.datasets import NMNIST

    with _staging(root) as staging:
        for train in (True, False):
            _download(NMNIST, str(staging), train=train)
        (root / "NMNIST").mkdir(exist_ok=True)
        for folder in ("Train", "Test"):
            goal = root / "NMNIST" / folder
            if goal.exists():  # half a data set, else nothing would be fetched
                goal.replace(staging / f"old {folder}")
            (staging / "NMNIST" / folder).replace(goal)
    return root / "NMNIST"


def fetch_heidelberg(name: str, root: Path) -> Path:
    """The files of `shd` or `ssc` by tonic, which knows their addresses and md5."""
    from tonic.datasets import SHD, SSC

    with _staging(root) as staging:
        if name == "shd":
            for train in (True, False):
                _download(SHD, str(staging), train=train)
        else:
            for split in ("train", "valid", "test"):
                _download(SSC, str(staging), split=split)
        folder = root / name.upper()
        folder.mkdir(exist_ok=True)
        for file in (staging / name.upper()).glob("*.h5"):
            file.replace(folder / file.name)
    return folder


def fetch_speech_commands(root: Path) -> Path:
    """The archive of Google Speech Commands, checked, and unpacked as torchaudio does."""
    from tonic.download_utils import download_url

    goal = root / FOLDER
    with _staging(root) as staging:
        archive, unpacked = staging / "speech_commands.tar.gz", staging / "unpacked"
        _download(download_url, GSC_URL, str(staging), filename=archive.name)
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != GSC_SHA256:
            raise ValueError(
                f"{GSC_URL} has sha256 {found[:12]}..., must be {GSC_SHA256[:12]}...: the download "
                "is damaged or the source has changed, try again"
            )
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        goal.parent.mkdir(exist_ok=True)
        if goal.exists():  # half a data set, else nothing would be fetched
            goal.replace(staging / "old")
        unpacked.replace(goal)
    return goal


def check_content(path: Path, sha256: str) -> None:
    """Raise unless the gzip file holds what it should."""
    found = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path.name}: content has sha256 {found[:12]}..., must be {sha256[:12]}...: "
            "the download is damaged or the source has changed, try again"
        )


def check_recordings(path: Path) -> None:
    """Raise unless the zip is whole and holds the recordings."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            n_found = sum(RECORDING.fullmatch(name) is not None for name in archive.namelist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name}: not a whole zip ({error}): try again") from None
    if damaged is not None or n_found < FSDD_LEAST:
        raise ValueError(
            f"{path.name}: {n_found} recordings, first damaged one: {damaged}; must be at least "
            f"{FSDD_LEAST}, all whole: try again"
        )


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder beside the goal, on the same disk, gone afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=root, prefix=".fetch-"))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download(call: object, *args: str, **kwargs: object) -> None:
    """Call tonic, its talk on stderr, its failures as one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            call(*args, **kwargs)  # type: ignore[operator]
    except (OSError, RuntimeError, RecursionError) as error:
        raise OSError(f"download failed ({error}): check the network and try again") from None

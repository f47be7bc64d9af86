"""The data sets kmosaic knows by name: what they are, where they are, and where they come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kmosaic.errors import DataError

DATA_VARIABLE = "KMOSAIC_DATA"


@dataclass(frozen=True)
class DataFile:
    """One IDX file of a data set.

    ``checksum`` is of the unpacked content ("sha256:..." or "md5:..."), since mirrors pack the same content
    differently; ``n_bytes_packed`` is the size of the gzip file first published.
    """

    name: str
    n_bytes: int
    n_bytes_packed: int
    checksum: str


@dataclass(frozen=True)
class IdxDataset:
    """A data set of four IDX files: training images and labels, test images and labels."""

    name: str
    label_names: tuple[str, ...]
    files: tuple[DataFile, ...]
    """Training images and labels, test images and labels: the order in which they are fetched."""
    mirrors: tuple[str, ...]
    handwriting: bool = False
    title: str = ""
    licence: str = ""
    homepage: str = ""
    citation: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """What ``kmosaic datasets`` shows of a data set.

    ``n_test`` is 0 where no test set was published; ``shape`` is (height, width, channels);
    ``bytes_download`` is 0 for embedded data. ``status`` is "embedded", "found" (complete, in the folder
    ``location``) or "downloadable". ``handwriting`` says that slant tells nothing about what is seen, so that
    recipes of features which can deskew images do.
    """

    name: str
    title: str
    n_train: int
    n_test: int
    shape: tuple[int, int, int]
    bytes_download: int
    licence: str
    homepage: str
    citation: str
    location: Path | None
    status: str
    mirrors: tuple[str, ...]
    handwriting: bool = False


def _files(*packed: tuple[int, str]) -> tuple[DataFile, ...]:
    """The files of a data set of 60,000 and 10,000 images of 28 x 28, given packed sizes and checksums."""
    unpacked = {
        "train-images-idx3-ubyte": 47_040_016,
        "train-labels-idx1-ubyte": 60_008,
        "t10k-images-idx3-ubyte": 7_840_016,
        "t10k-labels-idx1-ubyte": 10_008,
    }
    return tuple(DataFile(*file, *more) for file, more in zip(unpacked.items(), packed, strict=True))


# SHA-256 computed from files of which the MD5 of the unpacked content is the one published: 6bbc9ace...adb,
# a25bea73...624, 2646ac64...9ea and 27ae3e4e...637 (in this order).
_MNIST = IdxDataset(
    name="mnist",
    label_names=tuple("0123456789"),
    files=_files(
        (9_912_422, "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (28_881, "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        (1_648_877, "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (4_542, "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/mnist",
    ),
    handwriting=True,
    title="Handwritten digits, 28 x 28 grey",
    licence="CC BY-SA 3.0",
    homepage="http://yann.lecun.com/exdb/mnist/",
    citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document "
    "recognition. Proceedings of the IEEE 86(11), 1998",
)

# MD5 of the unpacked content, as several independent projects publish it beside the MD5 of the gzip files on
# the data set's homepage (8d4fb7e6..., 25c81989..., bef4ecab..., bb300cfd...). Against damage, not against
# forgery.
_FASHION_MNIST = IdxDataset(
    name="fashion-mnist",
    label_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    files=_files(
        (26_421_880, "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        (29_515, "md5:9018921c3c673c538a1fc5bad174d6f9"),
        (4_422_102, "md5:8181f5470baa50b63fa0f6fddb340f0a"),
        (5_148, "md5:15d484375f8d13e6eb1aabb0c3f46965"),
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/fashion-mnist",
    ),
    title="Photographs of clothes, 28 x 28 grey",
    licence="MIT",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    citation="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms. arXiv:1708.07747, 2017",
)

IDX_DATASETS = {entry.name: entry for entry in (_MNIST, _FASHION_MNIST)}
DATASET_NAMES = ("digits", *IDX_DATASETS)


def catalogue(data_dir: str | os.PathLike[str] | None = None) -> tuple[DatasetCard, ...]:
    """Every data set known by name, and whether it is here; looks at file names only, and at no network.

    Examples
    --------
    >>> [card.name for card in catalogue()]
    ['digits', 'mnist', 'fashion-mnist']
    """
    return _digits_card(), *(_idx_card(entry, data_dir) for entry in (_MNIST, _FASHION_MNIST))


def is_handwriting(source: str) -> bool:
    """Whether ``source`` names a data set whose card says that it is handwriting; files say nothing.

    >>> is_handwriting("mnist"), is_handwriting("fashion-mnist"), is_handwriting("photos")
    (True, False, False)
    """
    named = source in IDX_DATASETS or not os.path.exists(source)
    entry = IDX_DATASETS.get(source.lower()) if named else None
    return entry is not None and entry.handwriting


def find_file(folder: Path, name: str) -> Path | None:
    """The file ``name`` in ``folder``, unpacked or with .gz; unpacked first, as it is faster to read."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    return None


def find_dataset(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """The first folder under :func:`data_folders` that holds all four files of a data set, or None.

    In a data folder a data set lives in the sub-folder of its name; MNIST's files may also lie in it
    directly.
    """
    entry = IDX_DATASETS[name]
    for root in data_folders(data_dir):
        for folder in (root / name, root) if name == "mnist" else (root / name,):
            if all(find_file(folder, file.name) for file in entry.files):
                return folder
    return None


def data_folders(data_dir: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Where data sets are looked for: ``data_dir`` alone if given, else ``KMOSAIC_DATA``, then the cache."""
    if data_dir is not None:
        return (Path(data_dir),)
    cache = platformdirs.user_cache_path("kmosaic", appauthor=False)
    named = os.environ.get(DATA_VARIABLE)
    return (Path(named), cache) if named else (cache,)


def dataset_entry(name: str) -> IdxDataset:
    """The record of a data set that can be downloaded. Raises DataError when there is none of that name."""
    try:
        return IDX_DATASETS[name]
    except KeyError:
        names = ", ".join(IDX_DATASETS)
        raise DataError(f"{name!r} is no data set that can be downloaded; those are {names}") from None


def _idx_card(entry: IdxDataset, data_dir: str | os.PathLike[str] | None) -> DatasetCard:
    location = find_dataset(entry.name, data_dir)
    return DatasetCard(
        name=entry.name,
        n_train=60_000,
        n_test=10_000,
        shape=(28, 28, 1),
        bytes_download=sum(file.n_bytes_packed for file in entry.files),
        location=location,
        status="downloadable" if location is None else "found",
        mirrors=entry.mirrors,
        handwriting=entry.handwriting,
        title=entry.title,
        licence=entry.licence,
        homepage=entry.homepage,
        citation=entry.citation,
    )


def _digits_card() -> DatasetCard:
    return DatasetCard(
        name="digits",
        title="Handwritten digits, 8 x 8 grey, 17 levels",
        n_train=1797,
        n_test=0,
        shape=(8, 8, 1),
        bytes_download=0,
        licence="CC BY 4.0",
        homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        citation="E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits. UCI Machine Learning "
        "Repository, 1998",
        location=None,
        status="embedded",
        mirrors=(),
    )

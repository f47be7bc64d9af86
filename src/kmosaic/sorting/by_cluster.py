"""Where the files of clustered images are to be placed: a folder for every cluster."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from kmosaic.errors import DataError
from kmosaic.images.listing import list_folder
from kmosaic.sorting.placing import Placement
from kmosaic.text import printable

# What Windows does not have in names is left out everywhere: folders are copied to other systems.
_NOT_IN_NAMES = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+')
_MAX_NAME_BYTES = 100


def cluster_folders(n_clusters: int, names: Sequence[str] | None = None) -> list[str]:
    """Return the name of every cluster's folder: its number, and its name where there is one.

    >>> cluster_folders(11, ["cat", "a/b", "", *"defghijk"])[:3]
    ['00-cat', '01-a_b', '02']
    """
    width = len(str(n_clusters - 1))
    safe = [""] * n_clusters if names is None else [safe_name(name) for name in names]
    return [f"{cluster:0{width}}{'-' if name else ''}{name}" for cluster, name in enumerate(safe)]


def safe_name(text: str) -> str:
    """Return a text as part of a file's name on any system: at most 100 bytes, no dot or space at its end.

    >>> safe_name("AC/DC: live? "), safe_name("..")
    ('AC_DC_ live_', '')
    """
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", text))
    cut = name.encode("utf-8")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    return cut.strip(". ")


def files_of(source: Path, ids: Sequence[str]) -> list[Path]:
    """Return the file of every image that was read from ``source``, a folder or one image file.

    A file that is gone is named all the same. Raises DataError where two files have names that are told apart
    by unprintable characters alone.
    """
    if source.is_file():
        return [source]
    files: dict[str, Path] = {}
    for found in list_folder(source).files:
        if found.id in files:
            raise DataError(f"two files are called {found.id}, but for unprintable characters; rename one")
        files[found.id] = found.path
    return [files.get(name, source / name) for name in ids]


def sorted_by_cluster(
    files: Sequence[Path], labels: Sequence[int], folders: Sequence[str]
) -> list[Placement]:
    """Return a placement for each of ``files``: into the folder of its label, under its own name."""
    return [
        Placement(path, f"{folders[label]}/{path.name}") for path, label in zip(files, labels, strict=True)
    ]


def check_apart(source: Path, folder: Path) -> None:
    """Check that ``folder`` is not within ``source``: it would be read as images the next time.

    Raises DataError where it is.
    """
    inner, outer = os.path.realpath(folder), os.path.realpath(source)
    if inner == outer or inner.startswith(os.path.join(outer, "")):
        raise DataError(
            f"{printable(str(folder))} is in {printable(str(source))}, and would be read with it the next "
            "time; name a folder elsewhere"
        )

"""Names for clusters given by hand: the file that a report exports and ``kmosaic predict --names`` takes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kmosaic.errors import DataError
from kmosaic.files import read_text
from kmosaic.models.validation import printable_text

VERSION = 1
MAX_BYTES = 1 << 22
LONGEST_NAME = 200
_REMEDY = "export the names again from the report of this model"


def read_names(path: str | os.PathLike[str], n_clusters: int) -> tuple[str, ...]:
    """Return one name for each of ``n_clusters`` clusters, "" where none was given.

    Raises
    ------
    DataError
        When the file cannot be read, is no file of names, or was made for another number of clusters.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "names.json"
    >>> _ = file.write_text('{"kmosaic_names": 1, "n_clusters": 2, "names": ["cat", null]}')
    >>> read_names(file, n_clusters=2)
    ('cat', '')
    """
    text = read_text(Path(path), MAX_BYTES, _REMEDY)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); {_REMEDY}") from error
    if not isinstance(content, dict) or content.get("kmosaic_names") != VERSION:
        raise DataError(f"{path}: not a file of names for clusters (version {VERSION}); {_REMEDY}")
    names = content.get("names")
    if not isinstance(names, list) or content.get("n_clusters") != len(names):
        raise DataError(f"{path}: does not hold one name a cluster; {_REMEDY}")
    if len(names) != n_clusters:
        raise DataError(f"{path}: names for {len(names)} clusters, and the model has {n_clusters}; {_REMEDY}")
    return tuple(_name(name, f"{path}: name of cluster {cluster}") for cluster, name in enumerate(names))


def _name(name: Any, where: str) -> str:
    if name is None:
        return ""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise DataError(f"{where} is no text of at most {LONGEST_NAME} characters; {_REMEDY}")
    return printable_text(name)

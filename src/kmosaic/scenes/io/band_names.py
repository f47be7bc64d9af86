"""Names for bands that come in a file each: the parts in which the files' names differ."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_PARTS = re.compile(r"[^_\-. ]+|[_\-. ]+")


def names_from_files(paths: Sequence[str]) -> list[str]:
    """Return a name for the band of each file: the parts of the file's name that differ.

    Where these are numbers only, as in scene_10.tif and scene_20.tif, they would be mistaken for the places
    of bands, so it is the file's name without its ending; where that is not unique either, the name or the
    path.

    >>> names_from_files(["LE07_20000707_B1.TIF", "LE07_20000707_B7.TIF"])
    ['B1', 'B7']
    >>> names_from_files(["lsat7_10.tif", "lsat7_70.tif"])
    ['lsat7_10', 'lsat7_70']
    """
    files = [os.path.basename(path) for path in paths]
    stems = [os.path.splitext(file)[0] for file in files]
    for names in (_differing_parts(stems), stems, files):
        if len(set(names)) == len(names) and all(re.search(r"[^\W\d_]", name) for name in names):
            return names
    return list(paths)


def _differing_parts(stems: Sequence[str]) -> list[str]:
    parts = [_PARTS.findall(stem) for stem in stems]
    front, back = _n_shared(parts), _n_shared([part[::-1] for part in parts])
    return ["".join(part[front : len(part) - back]).strip("_-. ") for part in parts]


def _n_shared(lists: Sequence[Sequence[str]]) -> int:
    """How many items all lists begin with."""
    shortest = len(min(lists, key=len, default=""))
    return next((n for n in range(shortest) if len({items[n] for items in lists}) > 1), shortest)

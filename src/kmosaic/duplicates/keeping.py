"""Which images of a group of duplicates are kept, and where the others would go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kmosaic.duplicates.finding import PhotoDuplicates
from kmosaic.errors import DataError
from kmosaic.sorting import Placement

RULES = ("best", "first")


def kept(found: PhotoDuplicates, rule: str = "best") -> NDArray[np.bool_]:
    """Return which images are kept, (n_images,): all that are in no group, and one of each group.

    "best" keeps that of the most pixels, of these that of the largest file, and of these the first; "first"
    the first in the order of names. Images that others were compared with (``against``) are all kept, and
    one of the source beside them only by "best", where it is better than all of them.

    Raises DataError where the rule is none of these.
    """
    if rule not in RULES:
        raise DataError(f"keep={rule!r} must be one of {', '.join(RULES)}")
    images = found.images
    result = np.ones(len(images), bool)
    for group in found.groups:
        own = group.rows < found.n_own
        pixels, n_bytes = images.sizes[group.rows].prod(axis=1), images.n_bytes[group.rows]
        # Of equals, those that are kept in any case come first.
        order = (
            np.lexsort((group.rows, own, -n_bytes, -pixels))
            if rule == "best"
            else np.lexsort((group.rows, own))
        )
        result[group.rows[own]] = False
        result[group.rows[order[0]]] = True
    return result


def moves(found: PhotoDuplicates, keep: NDArray[np.bool_], source: Path) -> list[Placement]:
    """Return where the files that are not kept would go, in the sub-folders that they are in now."""
    return [
        Placement(path, path.relative_to(source).as_posix())
        for path, stays in zip(found.images.paths[: found.n_own], keep[: found.n_own], strict=True)
        if not stays and path is not None
    ]

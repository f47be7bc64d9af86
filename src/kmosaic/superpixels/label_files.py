"""Labels as pictures: PNG of 8 or 16 bits, TIFF, and GeoTIFF on a raster's grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.errors import OutputError
from kmosaic.files import atomic_write
from kmosaic.scenes.io.geotiff_writer import Layout, raster_output
from kmosaic.scenes.scene import Grid

LABEL_SUFFIXES = (".png", ".tif", ".tiff")


def check_label_name(path: Path) -> None:
    """Raise OutputError when ``path`` ends in none of .png, .tif, .tiff."""
    if path.suffix.lower() not in LABEL_SUFFIXES:
        raise OutputError(f"{path} must end in .png, .tif or .tiff, which decides the format")


def write_labels(
    path: Path, labels: NDArray[np.int32], grid: Grid | None = None, *, overwrite: bool = False
) -> None:
    """Write labels (h, w) from 0 on, in the fewest of 8, 16 or 32 bits; ``grid`` makes a TIFF a GeoTIFF.

    Raises OutputError where the file cannot be written, or a PNG cannot hold the labels.
    """
    check_label_name(path)
    largest = int(labels.max())
    if path.suffix.lower() == ".png" and largest > 65535:
        raise OutputError(f"{path}: a PNG holds labels to 65,535, not {largest:,}; write {path.stem}.tif")
    dtype = next(kind for kind in ("uint8", "uint16", "uint32") if largest <= np.iinfo(kind).max)
    if grid is not None and path.suffix.lower() != ".png":
        layout = Layout(dtype, 0, ("region",), "nearest")
        with raster_output(path, grid, layout, overwrite=overwrite) as output:
            output.write(labels.astype(dtype))
        return
    # Pillow knows whole numbers of 32 bits with a sign only, which hold all labels.
    picture: Any = Image.fromarray(labels.astype("int32" if dtype == "uint32" else dtype))
    with atomic_write(path, overwrite=overwrite) as temporary:
        if path.suffix.lower() == ".png":
            picture.save(temporary, "PNG")
        else:
            picture.save(temporary, "TIFF", compression="tiff_adobe_deflate")

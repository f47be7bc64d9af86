"""Pictures of few colours as files: indexed PNG, APNG, GIF, lossless WebP."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.colours.animation import encode_animation
from kmosaic.colours.picture_files import PictureFile
from kmosaic.colours.result import Quantized
from kmosaic.errors import OutputError

FORMATS = {".png": "PNG", ".apng": "PNG", ".gif": "GIF", ".webp": "WEBP"}


def check_picture_name(path: Path) -> str:
    """The format of a picture called so.

    Raises OutputError where the name ends in nothing that is written.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path} must end in {', '.join(FORMATS)}; that says how the picture is written")
    return kind


def encode(
    results: Sequence[Quantized], kind: str, source: PictureFile | None = None, *, metadata: bool = False
) -> bytes:
    """The frames of a picture as a file of kind "PNG", "GIF" or "WEBP".

    ``source`` gives the frames' durations and, with ``metadata``, Exif data and density.

    Where ``pyoxipng`` is installed, as it is with kmosaic on common machines, PNG files are made a few per
    cent smaller by it.

    Raises OutputError where no file of the kind shows several frames as they are.
    """
    options: dict[str, Any] = {}
    if metadata and source is not None:
        options = {**source.info, **({"exif": source.exif} if source.exif and kind != "GIF" else {})}
    if len(results) > 1:
        return encode_animation(results, kind, source, options)
    image = _pillow_image(results[0], kind)
    buffer = io.BytesIO()
    if kind == "PNG":
        image.save(buffer, "PNG", compress_level=9, **options)
        return smaller_png(buffer.getvalue())
    if kind == "WEBP":
        options |= {"lossless": True, "quality": 100, "method": 6, "exact": False}
    else:
        options |= {"optimize": False}
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smaller_png(data: bytes) -> bytes:
    """The same picture compressed harder, where a library for it is installed; palette and indices stay."""
    try:
        import oxipng
    except ImportError:
        return data
    optimized: bytes = oxipng.optimize_from_memory(
        data,
        level=4,
        bit_depth_reduction=False,
        color_type_reduction=False,
        palette_reduction=False,
        grayscale_reduction=False,
    )
    return min(data, optimized, key=len)


def _pillow_image(result: Quantized, kind: str) -> Image.Image:
    if kind == "WEBP":
        return Image.fromarray(result.pixels)
    image = result.image
    alpha = result.palette.colors[:, 3]
    if kind == "GIF" and (alpha == 0).any():
        image.info["transparency"] = int(np.flatnonzero(alpha == 0)[0])
    return image


def for_gif(frame: NDArray[Any]) -> NDArray[Any]:
    """A picture whose pixels are opaque or have no opacity at all: GIF has nothing between."""
    if frame.shape[2] == 3:
        return frame
    full = np.iinfo(frame.dtype).max
    clear = frame[..., 3] < full // 2 + 1
    out = frame.copy()
    out[..., 3] = np.where(clear, 0, full)
    return out

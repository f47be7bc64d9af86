"""Pillow's pixels of every mode as (h, w, 3 or 4) whole numbers."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from kmosaic.images.decode import UnusableImageError


def pixels_of(picture: Image.Image, profile: object = None, *, deep: bool = False) -> NDArray[Any]:
    """Return (h, w, 3 or 4) uint8 in sRGB, or (h, w, 3) uint16 of 16-bit grey.

    ``profile`` is the ICC profile that the pixels are in, as bytes; one that cannot be used is as none.
    ``deep`` says that whole numbers of mode "I" are from 0 to 65535, as those of PPM files are.

    Raises UnusableImageError for floating-point and other 32-bit pixels, which have no agreed scale.
    """
    if picture.mode.startswith("I;16") or (picture.mode == "I" and deep):
        grey = np.asarray(picture).astype(np.uint16)
        return np.ascontiguousarray(np.repeat(grey[..., np.newaxis], 3, axis=2))
    if picture.mode in ("I", "F"):
        raise UnusableImageError(
            "floating-point or 32-bit pixels, whose full brightness no one states; convert to 8 or 16 bit"
        )
    has_alpha = "transparency" in picture.info or picture.mode.endswith(("A", "a"))
    return np.array(_in_srgb(picture, profile, "RGBA" if has_alpha else "RGB"))


def _in_srgb(picture: Image.Image, profile: object, mode: str) -> Image.Image:
    if isinstance(profile, bytes) and picture.mode in ("RGB", "RGBA", "CMYK", "L"):
        alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
        converted = _by_profile(picture if alpha is None else picture.convert("RGB"), profile)
        if converted is not None:
            if alpha is not None:
                converted.putalpha(alpha)
            return converted.convert(mode)
    return picture.convert(mode)


def _by_profile(picture: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None

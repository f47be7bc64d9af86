"""The formats of image files that are read, told by their content."""

from __future__ import annotations

import functools
from typing import IO

from PIL import Image, UnidentifiedImageError

# Of Pillow's decoders those of formats in use for photographs and scans, without programs or other files in
# them; HEIC is read by pillow-heif, where that is installed.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "QOI")
FORMATS_IN_WORDS = "PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF, JPEG 2000, PPM or QOI"

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_AVIF_BRANDS = (b"avif", b"avis")
_BRAND_BYTES = 64  # of a file: its own brand, and the first of those it goes by as well


class MissingDecoderError(Exception):
    """An image of a known format that what is installed does not read; the message says what would."""


def open_picture(stream: IO[bytes]) -> Image.Image:
    """Open an image without decoding its pixels.

    Raises MissingDecoderError for HEIC without pillow-heif, and AVIF where Pillow was built without it;
    UnidentifiedImageError when it is of none of these formats.
    """
    try:
        return Image.open(stream, formats=_known_to_pillow())
    except UnidentifiedImageError:
        stream.seek(0)
        brands = _brands(stream.read(_BRAND_BYTES))
        stream.seek(0)
        if brands & set(_AVIF_BRANDS) and not _known_to_pillow(("AVIF",)):
            raise MissingDecoderError("AVIF, which this Pillow does not read; upgrade it") from None
        if not brands & set(_HEIC_BRANDS):
            raise
    _register_heic()
    return Image.open(stream, formats=("HEIF",))


@functools.cache
def _known_to_pillow(formats: tuple[str, ...] = FORMATS) -> tuple[str, ...]:
    """Those of the formats that this Pillow has: 11.3 is the first with AVIF."""
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)


def _brands(start: bytes) -> set[bytes]:
    """What an ISO base media file says it is: its brand, and others it goes by."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4], "big"), len(start))
    return {start[place : place + 4] for place in (8, *range(16, end, 4))}


def _register_heic() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingDecoderError("HEIC, which needs pillow-heif; pip install pillow-heif") from error
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener()

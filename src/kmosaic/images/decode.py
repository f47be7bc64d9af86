"""One image file: what its header says, and its pixels as upright grey or RGB."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, _imaging

from kmosaic.images.formats import FORMATS_IN_WORDS, MissingDecoderError, open_picture
from kmosaic.images.resize import resize_array, resize_picture
from kmosaic.libtiff import silence_libtiff
from kmosaic.text import printable

# Where Pillow begins to warn of decompression bombs; 256 MB a picture as RGB.
MAX_PIXELS = 89_478_485

_ORIENTATION = 0x0112
_WIDTH, _HEIGHT, _PHOTOMETRIC = 256, 257, 262
_GREY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
_GREY_16_MODES = ("I;16", "I;16B", "I;16L", "I;16N")
_PALETTE_MODES = ("P", "PA")
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnusableImageError(Exception):
    """An image file that cannot be used; the message is the reason, in a few words."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size of the upright image in pixels, whether it is stored in colour, and whether as 16-bit grey."""

    height: int
    width: int
    colour: bool
    deep: bool


@dataclass(frozen=True)
class PixelForm:
    """The form of decoded images: (height, width), fit policy, channels 1 or 3, dtype uint8 or uint16."""

    size: tuple[int, int]
    fit: str
    channels: int
    dtype: str

    @property
    def max_value(self) -> int:
        """The value of full brightness."""
        return int(np.iinfo(self.dtype).max)

    @property
    def n_features(self) -> int:
        return self.size[0] * self.size[1] * self.channels


def read_header(path: Path) -> ImageHeader:
    """What the file's header says; the pixels are not decoded.

    The kind of file is told by its content, whatever its name. Only the first picture of a file counts.

    Raises UnusableImageError when this is no image of a known kind, is damaged, has more than ``MAX_PIXELS``
    pixels or pixels whose brightness has no agreed scale.
    """
    with blaming_the_file(), path.open("rb") as stream, open_checked(stream) as picture:
        return _checked_header(picture, stream)


def decode(path: Path, form: PixelForm) -> NDArray[Any]:
    """The image's values in ``form``, (height * width * channels,), rows from the top.

    The orientation the camera noted is applied. Transparent pixels are laid over white. Colour becomes grey
    by ITU-R 601 weights (Pillow's "L"); 16-bit grey becomes 8-bit by v * 255 / 65535, rounded, and 8-bit
    becomes 16-bit by v * 257.

    Raises UnusableImageError as :func:`read_header`, and when the file is truncated.
    """
    with blaming_the_file(), path.open("rb") as stream, open_checked(stream) as picture:
        return _decoded(picture, form)


def decode_reduced(path: Path, form: PixelForm) -> tuple[ImageHeader, NDArray[Any]]:
    """What the header says and the values in ``form``, from one opening: for thumbnails.

    As :func:`decode`, but a JPEG is decoded at an eighth, a quarter or half its size where that has twice the
    pixels of the form a side, or more. Raises UnusableImageError as :func:`decode`.
    """
    with blaming_the_file(), path.open("rb") as stream, open_checked(stream) as picture:
        header = _checked_header(picture, stream)
        if picture.format == "JPEG":
            side = 2 * max(form.size)  # of both sides: the picture may lie on its side
            picture.draft(None, (side, side))
        return header, _decoded(picture, form)


def _decoded(picture: Image.Image, form: PixelForm) -> NDArray[Any]:
    picture.load()
    if _is_deep(picture):
        values = resize_array(_upright_deep(picture), form.size, form.fit)
    else:
        turned = upright(_flatten(picture), orientation_left(picture))
        resized = resize_picture(turned, form.size, form.fit)
        values = np.asarray(resized.convert("RGB" if form.channels == 3 else "L"))
    return _as_form(values, form).reshape(-1)


def _checked_header(picture: Image.Image, stream: IO[bytes]) -> ImageHeader:
    if picture.mode in ("I", "F") and not _is_deep(picture):
        kind = "floating-point" if picture.mode == "F" else "signed or 32-bit"
        raise UnusableImageError(
            f"{kind} pixels, whose full brightness no one states; convert to 8 or 16 bit, or to .npy"
        )
    if not _is_deep(picture) and picture.mode not in (*_GREY_MODES, *_COLOUR_MODES, *_PALETTE_MODES):
        raise UnusableImageError(f"pixels of kind {picture.mode}; convert to grey or RGB")
    height, width = _upright_size(picture, stream)
    return ImageHeader(height, width, _is_colour(picture), _is_deep(picture))


def _as_form(values: NDArray[Any], form: PixelForm) -> NDArray[Any]:
    if values.dtype != np.dtype(form.dtype):
        wide = values.astype(np.uint32)
        values = (wide * 257 if form.dtype == "uint16" else (wide * 255 + 32767) // 65535).astype(form.dtype)
    if form.channels == 3 and values.ndim == 2:
        values = np.repeat(values[:, :, np.newaxis], 3, axis=2)
    return values


@contextmanager
def blaming_the_file() -> Iterator[None]:
    """Turn whatever a decoder raises over a hostile file into :class:`UnusableImageError`.

    Decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError and more over damaged
    files, so nothing narrower than Exception will do; what is not about the file (Ctrl-C) passes.
    """
    try:
        yield
    except UnusableImageError:
        raise
    except UnidentifiedImageError as error:
        reason = f"no {FORMATS_IN_WORDS} image, or its header is damaged"
        raise UnusableImageError(reason) from error
    except MissingDecoderError as error:
        raise UnusableImageError(str(error)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableImageError(f"more than {MAX_PIXELS:,} pixels") from error
    except MemoryError as error:
        raise UnusableImageError("not enough memory to decode it") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or printable(str(error)) or type(error).__name__
        raise UnusableImageError(f"cannot be decoded: {reason}") from error


def open_checked(stream: IO[bytes]) -> Image.Image:
    """Open an image of a known format and bounded size, its pixels not decoded."""
    if not stream.read(1):
        raise UnusableImageError("empty file")
    stream.seek(0)
    silence_libtiff(_imaging.__file__)
    picture = open_picture(stream)
    # Our own limit holds even where Image.MAX_IMAGE_PIXELS was raised or taken away.
    if picture.width * picture.height > MAX_PIXELS:
        size = f"{picture.width:,} x {picture.height:,} pixels"
        raise UnusableImageError(f"{size}, more than {MAX_PIXELS:,} in all")
    if not (picture.width and picture.height):
        raise UnusableImageError("no pixels")
    return picture


@contextmanager
def pillow_warnings() -> Iterator[None]:
    """While this is open, Pillow's warnings of decompression bombs are errors, those about metadata unsaid.

    Warning filters belong to the process: one thread opens this, and it holds in all.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _is_deep(picture: Image.Image) -> bool:
    """Whether the image is 16-bit grey; Pillow brings PGM files above 8 bits to that scale, in 32 bits."""
    return picture.mode in _GREY_16_MODES or (picture.mode == "I" and picture.format == "PPM")


def _is_colour(picture: Image.Image) -> bool:
    """Whether the image is stored in colour; a palette of greys is grey."""
    if picture.mode in _PALETTE_MODES:
        palette = picture.getpalette("RGB") or []
        return not (palette[0::3] == palette[1::3] == palette[2::3])
    return picture.mode in _COLOUR_MODES


def _upright_size(picture: Image.Image, stream: IO[bytes]) -> tuple[int, int]:
    width, height = picture.size
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # Some versions of Pillow give the size before, some after turning; the tags are never turned.
        width, height = int(picture.tag_v2[_WIDTH]), int(picture.tag_v2[_HEIGHT])
    if picture.format == "PNG" and "exif" not in picture.info and _png_has_late_exif(stream):
        picture.load()
    return (width, height) if _orientation(picture) >= 5 else (height, width)


def _png_has_late_exif(stream: IO[bytes]) -> bool:
    """Whether a PNG file has Exif data after its pixels, where opening it does not look."""
    place = stream.tell()
    offset, kind = 8, b""
    while kind not in (b"IEND", b"eXIf"):
        stream.seek(offset)
        start = stream.read(8)
        if len(start) < 8:
            break
        offset += 12 + int.from_bytes(start[:4], "big")
        kind = start[4:]
    stream.seek(place)
    return kind == b"eXIf"


def _orientation(picture: Image.Image) -> int:
    """The Exif orientation, 1 to 8; 1 where there is none, or Exif data that cannot be read."""
    try:
        # PngImageFile.getexif decodes the image on its way; the one it overrides does not.
        orientation = Image.Image.getexif(picture).get(_ORIENTATION, 1)
    except Exception:
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def orientation_left(picture: Image.Image) -> int:
    """The orientation still to be applied to a loaded image: Pillow turns TIFF images as it loads them."""
    return 1 if isinstance(picture, TiffImagePlugin.TiffImageFile) else _orientation(picture)


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its Exif orientation says."""
    return picture.transpose(_TRANSPOSE[orientation]) if orientation > 1 else picture


def _flatten(picture: Image.Image) -> Image.Image:
    """Any 8-bit image as L or RGB, transparent pixels over white."""
    plain = "RGB" if _is_colour(picture) else "L"
    if "transparency" not in picture.info and not picture.mode.endswith(("A", "a")):
        return picture.convert(plain)
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    # Grey stays grey: the weights of "L" sum to one, so equal channels give their own value back.
    return Image.alpha_composite(white, layer).convert(plain)


def _upright_deep(picture: Image.Image) -> NDArray[np.uint16]:
    """A 16-bit grey image as uint16 (height, width), upright; transparent is white, and white the largest."""
    values = np.asarray(picture).astype(np.uint16)
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(_PHOTOMETRIC) == 0:
        values = 65535 - values
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        values = np.where(values == clear, np.uint16(65535), values)
    return _turn(values, orientation_left(picture))


def _turn(values: NDArray[np.uint16], orientation: int) -> NDArray[np.uint16]:
    """What :func:`_upright` does, for arrays."""
    turned = values.T if orientation >= 5 else values
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)

"""Reading pictures to quantise: upright, in sRGB, with alpha and all frames."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image, ImageSequence

from kmosaic.colours.pillow_pixels import pixels_of
from kmosaic.errors import DataError
from kmosaic.files import read_at_most
from kmosaic.images.collection import SkippedFile
from kmosaic.images.decode import (
    MAX_PIXELS,
    UnusableImageError,
    blaming_the_file,
    open_checked,
    orientation_left,
    pillow_warnings,
    upright,
)
from kmosaic.images.listing import list_folder
from kmosaic.text import printable

_MAX_BYTES = 1 << 30
# Formats whose further frames are an animation, and not pages or views.
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_ORIENTATION = 0x0112


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A decoded picture file.

    ``frames`` are (h, w, 3 or 4) uint8, or uint16 for 16-bit grey; ``durations`` in milliseconds where it is
    an animation, which is shown ``loop`` times (0: without end). ``data`` is the file itself.
    """

    name: str
    data: bytes
    format: str
    frames: tuple[NDArray[Any], ...]
    durations: tuple[int, ...] = ()
    loop: int = 0
    exif: bytes = b""
    info: dict[str, Any] = field(default_factory=dict)


def read_picture(path: Path) -> PictureFile:
    """Read a picture file: see :func:`decode_picture`.

    Raises DataError when it cannot be read, or as there.
    """
    name = printable(str(path))
    try:
        data = read_at_most(path, _MAX_BYTES)
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise DataError(f"{name}: more than {_MAX_BYTES:,} bytes; reduce it first")
    return decode_picture(data, name)


def decode_picture(data: bytes, name: str) -> PictureFile:
    """Decode a picture in memory, turned as its Exif orientation says, colours brought to sRGB.

    Frames of GIF, APNG, WebP and AVIF are all read; of other files with several pages only the first is.

    Raises DataError when it is no image of a known format, is damaged or truncated, or too large.
    """
    try:
        with pillow_warnings(), blaming_the_file(), open_checked(io.BytesIO(data)) as picture:
            n_frames = getattr(picture, "n_frames", 1) if picture.format in _ANIMATED else 1
            if n_frames * picture.width * picture.height > 4 * MAX_PIXELS:
                raise UnusableImageError(
                    f"{n_frames:,} frames, of more than {4 * MAX_PIXELS:,} pixels in all"
                )
            if n_frames > 1:
                return _animation(picture, data, name)
            picture.load()
            turned = upright(picture, orientation_left(picture))
            return PictureFile(
                name,
                data,
                str(picture.format),
                (_pixels(turned, picture),),
                exif=_exif(picture),
                info=_density(picture),
            )
    except UnusableImageError as error:
        raise DataError(f"{name}: {error}") from error


def _animation(picture: Image.Image, data: bytes, name: str) -> PictureFile:
    frames, durations = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(_pixels(frame.convert("RGBA"), picture))
        duration = frame.info.get("duration", 100)
        usable = isinstance(duration, int | float) and math.isfinite(duration)
        durations.append(min(max(int(duration), 0), 1 << 22) if usable else 100)
    loop = picture.info.get("loop", 0 if picture.format != "GIF" else 1)
    return PictureFile(
        name, data, str(picture.format), tuple(frames), tuple(durations), loop if isinstance(loop, int) else 0
    )


def _pixels(picture: Image.Image, opened: Image.Image) -> NDArray[Any]:
    return pixels_of(picture, opened.info.get("icc_profile"), deep=opened.format == "PPM")


def _exif(picture: Image.Image) -> bytes:
    """The file's Exif data, without the orientation, which has been applied."""
    try:
        exif = picture.getexif()
        exif.pop(_ORIENTATION, None)
        return exif.tobytes() if len(exif) else b""
    except Exception:  # damaged metadata must not cost the picture
        return b""


def _density(picture: Image.Image) -> dict[str, Any]:
    dpi = picture.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(_is_number(value) and value > 0 for value in dpi):
        return {"dpi": (float(dpi[0]), float(dpi[1]))}
    return {}


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


@dataclass(frozen=True)
class FoundPictures:
    """Picture files with what each one's output is called below an output folder, and files left out."""

    pictures: tuple[tuple[Path, Path], ...]
    skipped: tuple[SkippedFile, ...]


def find_pictures(sources: tuple[Path, ...]) -> FoundPictures:
    """Find the picture files among files and in folders, whose files are told by their content.

    Raises DataError when a folder cannot be listed, or has no pictures.
    """
    pictures: list[tuple[Path, Path]] = []
    skipped: list[SkippedFile] = []
    for source in sources:
        if not source.is_dir():
            pictures.append((source, Path(source.name)))
            continue
        found = _in_folder(source)
        pictures += found.pictures
        skipped += found.skipped
    return FoundPictures(tuple(pictures), tuple(skipped))


def _in_folder(folder: Path) -> FoundPictures:
    listing = list_folder(folder)
    pictures: list[tuple[Path, Path]] = []
    skipped = list(listing.skipped)
    for file in listing.files:
        reason = _why_no_picture(file.path)
        if reason is None:
            pictures.append((file.path, file.path.relative_to(folder)))
        else:
            skipped.append(SkippedFile(file.id, reason))
    if not pictures:
        first = f"; {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"{printable(str(folder))}: no pictures in this folder{first}")
    return FoundPictures(tuple(pictures), tuple(skipped))


def _why_no_picture(path: Path) -> str | None:
    try:
        with pillow_warnings(), blaming_the_file(), path.open("rb") as stream, open_checked(stream):
            return None
    except UnusableImageError as error:
        return str(error)

"""Animations as files, decoded again before anybody has them: APNG, GIF, lossless WebP.

Encoders take frames apart into differences, and get some wrong: those with unlike palettes lose their
transparency, frames that are wholly transparent break a GIF. So all frames share one palette, and what comes
out is compared with what went in; where it differs, plainer ways follow.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from kmosaic.colours.palette_files import MAX_COLORS
from kmosaic.colours.picture_files import PictureFile
from kmosaic.colours.result import Quantized
from kmosaic.errors import OutputError
from kmosaic.images.decode import UnusableImageError, blaming_the_file, open_checked, pillow_warnings

_WEBP = {"lossless": True, "quality": 100, "method": 6}
_GIF_MAX_MS = 655_350
_PNG_MAX_MS = 65_535
"""Up to here APNG's fractions hold every millisecond; above, whole seconds."""


@dataclass(frozen=True, eq=False)
class _Animation:
    """Frames, and how they are shown."""

    results: Sequence[Quantized]
    kind: str
    durations: list[int]
    loop: int
    options: dict[str, Any]

    def ways(self) -> tuple[Callable[[], bytes], ...]:
        """How the file can be made, the smallest first."""
        if self.kind == "WEBP":
            return self._webp, lambda: self._webp(kmin=0, kmax=1)
        if self.kind == "GIF":
            return self._gif, self._whole_gif
        return self._indexed_png, self._full_png

    def _saved(self, images: Sequence[Image.Image], **options: Any) -> bytes:
        buffer = io.BytesIO()
        rest = {"save_all": True, "append_images": images[1:], "duration": self.durations, "loop": self.loop}
        images[0].save(buffer, self.kind, **{**self.options, **rest, **options})
        return buffer.getvalue()

    def _webp(self, **keys: int) -> bytes:
        return self._saved(self._rgba(), **_WEBP, **keys)

    def _full_png(self) -> bytes:
        return self._saved(self._rgba(), compress_level=9)

    def _indexed_png(self) -> bytes:
        colors = self._colors()
        images = self._indexed(colors)
        opacity = colors[:, 3].tobytes().rstrip(b"\xff")
        for image in images if opacity else ():
            image.info["transparency"] = opacity
        return self._saved(images, compress_level=9)

    def _gif_frames(self) -> tuple[list[Image.Image], int]:
        """The frames, and what becomes of each before the next: 2, it is cleared; 1, it stays."""
        colors = self._colors()
        images = self._indexed(colors)
        clear = np.flatnonzero(colors[:, 3] == 0)
        for image in images if len(clear) else ():
            image.info["transparency"] = int(clear[0])
        return images, 2 if len(clear) else 1

    def _gif(self) -> bytes:
        images, disposal = self._gif_frames()
        return self._saved(images, disposal=disposal, optimize=False, loop=self._gif_loop)

    @property
    def _gif_loop(self) -> int | None:
        return None if self.loop == 1 else self.loop  # played once: GIF says so by saying nothing

    def _whole_gif(self) -> bytes:
        """Every frame whole, put together from a file for each."""
        images, disposal = self._gif_frames()
        parts = [b"GIF89a"]
        for number, (image, duration) in enumerate(zip(images, self.durations, strict=True)):
            buffer = io.BytesIO()
            first = {**self.options, "loop": self._gif_loop} if number == 0 else {}
            image.save(buffer, "GIF", **first, duration=duration, disposal=disposal, optimize=False)
            data = buffer.getvalue()
            n_table = 3 * (2 << (data[10] & 7))
            parts.append(data[6 if number == 0 else 13 + n_table : -1])
        return b"".join([*parts, b";"])

    def _rgba(self) -> list[Image.Image]:
        return [Image.fromarray(result.palette.colors[result.labels]) for result in self.results]

    def _colors(self) -> NDArray[np.uint8]:
        """The colours of all frames (k, 4), the least opaque first: PNG lists opacity up to the last."""
        colors = np.unique(np.concatenate([result.palette.colors for result in self.results]), axis=0)
        if len(colors) > MAX_COLORS:
            raise ValueError(f"{len(colors)} colours in all frames; one palette has at most {MAX_COLORS}")
        return colors[np.argsort(colors[:, 3], kind="stable")]

    def _indexed(self, colors: NDArray[np.uint8]) -> list[Image.Image]:
        place = {color.tobytes(): number for number, color in enumerate(colors)}
        images = []
        for result in self.results:
            renumbered = np.array([place[color.tobytes()] for color in result.palette.colors], np.uint8)
            image = Image.fromarray(renumbered[result.labels])
            image.putpalette(colors[:, :3].tobytes())
            images.append(image)
        return images


def encode_animation(
    results: Sequence[Quantized], kind: str, source: PictureFile | None, options: dict[str, Any]
) -> bytes:
    """Several frames as a file of kind "PNG", "GIF" or "WEBP" that shows them as they are.

    ``source`` gives durations in milliseconds and how often they are shown; ``options`` are those of Pillow.

    Raises OutputError where no way gives a file that decodes to the same frames.
    """
    durations = list(source.durations) if source is not None and source.durations else [100] * len(results)
    loop = 0 if source is None else source.loop
    how = _Animation(results, kind, [_duration(one, kind) for one in durations], loop, options)
    for way in how.ways():
        try:
            data = way()
        except (ValueError, OSError, struct.error):  # what this way cannot express
            continue
        if shows(data, results):
            return data
    raise OutputError(f"no {kind} file shows these {len(results)} frames as they are; choose another format")


def _duration(milliseconds: int, kind: str) -> int:
    if kind == "GIF":
        return min(milliseconds, _GIF_MAX_MS)
    if kind == "PNG" and milliseconds > _PNG_MAX_MS:
        return round(milliseconds / 1000) * 1000
    return milliseconds


def shows(data: bytes, results: Sequence[Quantized]) -> bool:
    """Whether a file decodes to these frames, equal ones after each other taken as one."""
    try:
        with pillow_warnings(), blaming_the_file(), open_checked(io.BytesIO(data)) as picture:
            gif = picture.format == "GIF"
            wanted = _changing(_wanted(result, gif=gif) for result in results)
            found = _changing(_rgba_of(frame) for frame in ImageSequence.Iterator(picture))
            return all(
                a is not None and b is not None and np.array_equal(a, b)
                for a, b in zip_longest(found, wanted)
            )
    except UnusableImageError:
        return False


def _wanted(result: Quantized, *, gif: bool) -> NDArray[np.uint8]:
    colors = result.palette.colors.copy()  # those without opacity are zeros already
    if gif:
        colors[colors[:, 3] > 0, 3] = 255
    return colors[result.labels]


def _rgba_of(frame: Image.Image) -> NDArray[np.uint8]:
    pixels = np.array(frame.convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def _changing(frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        if before is None or not np.array_equal(frame, before):
            yield frame
        before = frame

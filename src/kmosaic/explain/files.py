"""The lesson's slides as files: PNG frames, an animation, and what to say to them."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from kmosaic.errors import OutputError
from kmosaic.explain.lesson import PARTS, Lesson
from kmosaic.files import atomic_write, check_output
from kmosaic.report.wording import percent

if TYPE_CHECKING:
    from kmosaic.explain.slides import Frame

NOTES_NAME = "speaker-notes.md"
ANIMATIONS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG"}
_MS = 1_000
_LAST_MS = 2_500

OnFrame = Callable[[int, int], None]


def write_frames(
    folder: str | os.PathLike[str],
    frames: Sequence[Frame],
    lesson: Lesson,
    *,
    overwrite: bool = False,
    on_frame: OnFrame | None = None,
) -> list[Path]:
    """Write one PNG a frame into ``folder``, made where missing, and the speaker's notes in Markdown.

    All or none: what is interrupted leaves nothing behind. ``on_frame(done, total)`` is called after each.

    Raises
    ------
    OutputError
        When a file exists and ``overwrite`` is false, or cannot be written.
    """
    place = Path(folder)
    names = [*(f"{frame.name}.png" for frame in frames), NOTES_NAME]
    with _folder(place):
        for name in names:
            check_output(place / name, overwrite=overwrite)
        with tempfile.TemporaryDirectory(prefix=".kmosaic-", dir=place) as temporary:
            drawn = Path(temporary)
            for done, (name, frame) in enumerate(zip(names, frames, strict=False), start=1):
                _write(drawn / name, frame.png)
                if on_frame is not None:
                    on_frame(done, len(frames))
            _write(drawn / NOTES_NAME, speaker_notes(lesson, frames).encode())
            for name in names:
                (drawn / name).replace(place / name)
    return [place / name for name in names]


@contextmanager
def _folder(place: Path) -> Iterator[None]:
    """The folder, made where it is missing; then it goes again where nothing comes of it."""
    is_new = not place.exists()
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{place} cannot be made: {error.strerror}; name a folder for the frames"
        ) from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                place.rmdir()
        raise


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written: {error.strerror}") from error


def check_animation_name(path: str | os.PathLike[str]) -> str:
    """Return Pillow's name of the format that the suffix of ``path`` stands for.

    Raises
    ------
    OutputError
        When the suffix is none of .gif, .png and .apng.

    Examples
    --------
    >>> check_animation_name("lesson.gif")
    'GIF'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ANIMATIONS:
        raise OutputError(f"{path} must end in .gif, or in .png or .apng for an animated PNG")
    return ANIMATIONS[suffix]


def write_animation(
    path: str | os.PathLike[str],
    frames: Sequence[Frame],
    *,
    overwrite: bool = False,
    on_frame: OnFrame | None = None,
) -> Path:
    """Write the frames one after another as an animated GIF or PNG, by the suffix of ``path``.

    Raises
    ------
    OutputError
        When the suffix is another, or as :func:`kmosaic.files.atomic_write`.
    """
    target, format = Path(path), check_animation_name(path)
    images = []
    for done, frame in enumerate(frames, start=1):
        with Image.open(io.BytesIO(frame.png)) as image:
            # 256 colours of its own for each frame; without dithering, which would flicker.
            images.append(image.convert("RGB").quantize(256, dither=Image.Dither.NONE))
        if on_frame is not None:
            on_frame(done, len(frames))
    if format == "PNG":  # one palette serves all frames of a PNG: colours as they are instead
        images = [image.convert("RGB") for image in images]
    durations = [_LAST_MS if frame.last else _MS for frame in frames]
    with atomic_write(target, overwrite=overwrite) as temporary:
        images[0].save(
            temporary, format=format, save_all=True, append_images=images[1:], duration=durations, loop=0
        )
    return target


def speaker_notes(lesson: Lesson, frames: Sequence[Frame]) -> str:
    """Return what to say to each part of ``frames``, in Markdown, with the numbers that the slides show."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["percent"] = percent
    names = {part: [frame.name for frame in frames if frame.part == part] for part in PARTS}
    return environment.get_template("speaker.md.j2").render(lesson=lesson, names=names)

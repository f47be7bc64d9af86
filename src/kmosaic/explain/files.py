"""The lesson's slides as files: PNG frames, an animation, and what to say to them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from kmosaic.errors import OutputError
from kmosaic.explain.lesson import Lesson
from kmosaic.explain.slides import PARTS, Frame
from kmosaic.files import atomic_write
from kmosaic.report.wording import percent

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

    ``on_frame(done, total)`` is called after each.

    Raises
    ------
    OutputError
        When a file exists and ``overwrite`` is false, or cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{place} cannot be made: {error.strerror}; name a folder for the frames"
        ) from error
    written = []
    for done, frame in enumerate(frames, start=1):
        path = place / f"{frame.name}.png"
        with atomic_write(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(frame.png)
        written.append(path)
        if on_frame is not None:
            on_frame(done, len(frames))
    notes = place / NOTES_NAME
    with atomic_write(notes, overwrite=overwrite) as temporary:
        temporary.write_text(speaker_notes(lesson, frames), encoding="utf-8")
    return [*written, notes]


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

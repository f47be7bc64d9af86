"""Animations decode to the frames that were meant, whatever encoders make of them."""

from __future__ import annotations

import io
from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from kmosaic import OutputError
from kmosaic.colours import Quantized, animation, quantize_all
from kmosaic.colours.encode import encode, for_gif
from kmosaic.colours.picture_files import decode_picture

KINDS = ["PNG", "GIF", "WEBP"]


def decoded(data: bytes) -> list[bytes]:
    """RGBA of the frames, colours without opacity as zeros, equal ones after each other once."""
    with Image.open(io.BytesIO(data)) as picture:
        frames = [np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(picture)]
    return distinct(frames)


def distinct(frames: list[NDArray[np.uint8]]) -> list[bytes]:
    for frame in frames:
        frame[frame[..., 3] == 0] = 0
    return [one for one, _ in groupby(frame.tobytes() for frame in frames)]


def meant(results: list[Quantized]) -> list[bytes]:
    return distinct([result.palette.colors[result.labels] for result in results])


def moving_sprite() -> list[NDArray[np.uint8]]:
    """Unlike palettes, all with a transparent ground."""
    frames = np.zeros((3, 32, 32, 4), np.uint8)
    for number, frame in enumerate(frames):
        frame[4:12, 4 + 6 * number : 12 + 6 * number] = (255, 90 * number, 40 * number, 255)
    return list(frames)


def opaque_first() -> list[NDArray[np.uint8]]:
    first = np.full((32, 32, 4), (200, 0, 0, 255), np.uint8)
    first[8:16] = (10, 200, 30, 255)
    second = first.copy()
    second[4:20, 4:20] = 0
    return [first, second, np.zeros_like(first), first]


def random_frames(random: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Tiny frames: opaque, with holes, translucent, wholly transparent, or nearly as the one before."""
    height, width = random.integers(1, 12, 2)
    frames: list[NDArray[np.uint8]] = []
    for number in range(random.integers(2, 6)):
        frame = random.integers(0, random.choice([2, 4, 256]), (height, width, 4)).astype(np.uint8)
        what = random.integers(5)
        if what == 0:
            frame[..., 3] = 255
        elif what == 1:
            frame[..., 3] = np.where(random.random((height, width)) < 0.5, 0, 255)
        elif what == 2 and frames:
            frame = frames[-1].copy()
            frame[0, 0] = (5, number, 7, 255)
        elif what == 3:
            frame[..., 3] = 0
        frames.append(frame)
    return frames


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_the_one_that_was_meant(kind: str) -> None:
    random = np.random.default_rng(0)
    cases = [moving_sprite(), opaque_first(), *(random_frames(random) for _ in range(60))]
    for number, frames in enumerate(cases):
        given = [for_gif(frame) for frame in frames] if kind == "GIF" else frames
        results = quantize_all(given, int(random.integers(2, 257)), dither="none")
        assert decoded(encode(results, kind)) == meant(results), number


@pytest.mark.parametrize("kind", KINDS)
def test_the_plainest_way_is_right_too_and_keeps_time(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of the ways, where those before give a file with other frames; and none, where all do."""
    source = decode_picture(encode(quantize_all(moving_sprite(), 8), "WEBP"), "sprite")
    results = quantize_all(source.frames, 8, dither="none")
    shows = animation.shows
    tried: list[bytes] = []

    def second(data: bytes, results: list[Quantized]) -> bool:
        tried.append(data)
        return len(tried) > 1 and shows(data, results)

    monkeypatch.setattr(animation, "shows", second)
    data = encode(results, kind, source)
    assert len(tried) == 2
    assert decoded(data) == meant(results)
    again = decode_picture(data, "again")
    assert (again.durations, again.loop) == ((100, 100, 100), 0)
    monkeypatch.setattr(animation, "shows", lambda *_: False)
    with pytest.raises(OutputError, match="no .* file shows these 3 frames"):
        encode(results, kind, source)


def test_a_wrong_frame_is_found() -> None:
    """What the comparison says of other frames, fewer and more."""
    results = quantize_all(moving_sprite(), 8, dither="none")
    data = encode(results, "PNG")
    assert animation.shows(data, results)
    for other in (results[:2], [*results, results[0]], results[::-1]):
        assert not animation.shows(data, other)
    assert not animation.shows(data[: len(data) // 2], results)

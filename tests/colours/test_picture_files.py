"""Reading pictures of all kinds, and writing those of few colours."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from kmosaic import DataError
from kmosaic.colours import quantize, quantize_all
from kmosaic.colours.encode import encode, for_gif
from kmosaic.colours.picture_files import decode_picture


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_orientation_is_applied_and_forgotten() -> None:
    image = Image.fromarray(noise(5, 8, 3))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a note"
    read = decode_picture(saved(image, "PNG", exif=exif), "x")
    assert (read.frames[0] == np.rot90(np.asarray(image), -1)).all()
    kept = Image.Exif()
    kept.load(read.exif)
    assert 0x0112 not in kept
    assert kept[0x010E] == "a note"


def rgb_profile(primaries: list[list[float]], gamma: float) -> bytes:
    """An ICC profile of a screen: XYZ (D50) of its red, green and blue, and one exponent."""

    def fixed(values: list[float]) -> bytes:
        return b"".join(struct.pack(">i", round(65536 * value)) for value in values)

    white = [0.9642, 1.0, 0.8249]
    bodies = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"x\0\0\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(white),
    }
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma)) + bytes(2)
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        bodies |= {name + b"XYZ": b"XYZ " + bytes(4) + fixed(primary), name + b"TRC": curve}
    table, data = struct.pack(">I", len(bodies)), b""
    for tag, body in bodies.items():
        padded = body + bytes(-len(body) % 4)
        table += tag + struct.pack(">II", 128 + 4 + 12 * len(bodies) + len(data), len(body))
        data += padded
    size = 128 + len(table) + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x02200000, b"mntr", b"RGB ", b"XYZ ") + bytes(12)
    header += b"acsp" + bytes(28) + fixed(white)
    return header.ljust(128, b"\0") + table + data


SRGB_PRIMARIES = [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]


def test_a_profile_changes_the_colours() -> None:
    """Of a screen whose red is sRGB's green, green blue, and blue red, with another exponent."""
    for mode in ["RGB", "RGBA"]:
        red, green, blue = SRGB_PRIMARIES
        profile = rgb_profile([green, blue, red], 1.8)
        image = Image.fromarray(noise(9, 8, 4 if mode == "RGBA" else 3))
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        expected = np.asarray(ImageCms.profileToProfile(image.convert("RGB"), source, srgb))
        frame = decode_picture(saved(image, "PNG", icc_profile=profile), "x").frames[0]
        assert (frame[..., :3] == expected).all()
        assert (frame[..., 3:] == np.asarray(image)[..., 3:]).all()
        plain = np.asarray(image)[..., [2, 0, 1]]  # green's light is shown by what was red's value
        light = 255 * (plain / 255) ** (1.8 / 2.2)
        assert np.abs(frame[..., :3] - light).max() < 12
        assert np.abs(frame[..., :3].astype(int) - np.asarray(image)[..., :3]).mean() > 40


def test_profiles_that_are_unusable_or_srgb_change_nothing() -> None:
    image = Image.fromarray(noise(4, 4, 3))
    unusable = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # not of RGB
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (unusable, b"no profile at all", srgb):
        read = decode_picture(saved(image, "PNG", icc_profile=profile), "x")
        assert np.abs(read.frames[0].astype(int) - np.asarray(image)).max() <= 1


def test_every_mode_is_read() -> None:
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]:
        if mode == "I;16":
            image = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (6, 7), dtype=np.uint16))
        else:
            image = Image.fromarray(noise(6, 7, 3)).convert(mode)
        read = decode_picture(saved(image, "TIFF" if mode == "CMYK" else "PNG"), "x")
        assert read.frames[0].shape[:2] == (6, 7)
        assert read.frames[0].shape[2] == (4 if "A" in mode else 3)
        assert read.frames[0].dtype == (np.uint16 if mode == "I;16" else np.uint8)
        assert quantize(read.frames[0], 4).labels.shape == (6, 7)


def test_bad_files_are_one_error() -> None:
    whole = saved(Image.fromarray(noise(40, 40, 3)), "PNG")
    bomb = bytearray(whole)
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    for content in (b"", b"no picture", whole[: len(whole) // 2], bytes(bomb)):
        with pytest.raises(DataError, match="^x: "):
            decode_picture(content, "x")


def test_animations_keep_frames_and_durations() -> None:
    for kind in ["GIF", "PNG", "WEBP"]:
        frames = [Image.fromarray(noise(8, 9, 4, seed=s) | np.uint8([0, 0, 0, 255])) for s in range(3)]
        options = {"save_all": True, "append_images": frames[1:], "duration": [40, 60, 100], "loop": 3}
        read = decode_picture(
            saved(frames[0], kind, **options, **({"lossless": True} if kind == "WEBP" else {})), "x"
        )
        assert len(read.frames) == 3
        assert read.durations == (40, 60, 100)
        results = quantize_all(list(read.frames), 16, dither="none")
        for other in ("GIF", "PNG", "WEBP"):
            again = decode_picture(encode(results, other, read), "y")
            assert again.durations == read.durations
            for frame, result in zip(again.frames, results, strict=True):
                assert (frame[..., :3] == result.pixels[..., :3]).all()


def test_png_has_as_few_bits_as_will_do() -> None:
    for n_colors, bits in [(2, 1), (4, 2), (16, 4), (200, 8)]:
        result = quantize(noise(30, 30, 3), n_colors)
        content = encode([result], "PNG")
        assert content[24] == bits
        assert content[25] == 3
        assert (decode_picture(content, "x").frames[0] == result.pixels).all()


def test_transparency_survives() -> None:
    for kind in ["PNG", "GIF", "WEBP"]:
        picture = noise(20, 20, 4)
        picture[..., 3] = np.where(noise(20, 20) > 100, 255, 0)
        result = quantize(picture, 16, dither="none")
        frame = decode_picture(encode([result], kind), "x").frames[0]
        clear = picture[..., 3] == 0
        assert (frame[..., 3] == picture[..., 3]).all()
        assert (frame[~clear] == result.pixels[~clear]).all()


def test_gif_has_no_translucent_pixels() -> None:
    assert set(np.unique(for_gif(noise(9, 9, 4))[..., 3])) == {0, 255}


def test_compressing_harder_changes_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    result = quantize(noise(64, 64, 3), 64)
    small = encode([result], "PNG")
    monkeypatch.setitem(__import__("sys").modules, "oxipng", None)
    plain = encode([result], "PNG")
    assert len(small) <= len(plain)
    assert (decode_picture(small, "x").frames[0] == decode_picture(plain, "x").frames[0]).all()

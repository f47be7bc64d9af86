"""Reading pictures of all kinds, and writing those of few colours."""

from __future__ import annotations

import io

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


def test_profiles_are_honoured() -> None:
    image = Image.fromarray(noise(4, 4, 3))
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # unusable for RGB
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (swapped, b"no profile at all", srgb):
        read = decode_picture(saved(image, "PNG", icc_profile=profile), "x")
        assert np.abs(read.frames[0].astype(int) - np.asarray(image)).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_is_read(mode: str) -> None:
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


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_keep_frames_and_durations(kind: str) -> None:
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


@pytest.mark.parametrize(("n_colors", "bits"), [(2, 1), (4, 2), (16, 4), (200, 8)])
def test_png_has_as_few_bits_as_will_do(n_colors: int, bits: int) -> None:
    result = quantize(noise(30, 30, 3), n_colors)
    content = encode([result], "PNG")
    assert content[24] == bits
    assert content[25] == 3
    assert (decode_picture(content, "x").frames[0] == result.pixels).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_transparency_survives(kind: str) -> None:
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

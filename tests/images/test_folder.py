"""Folders of image files: every kind of pixel, every way a file can be bad, order, labels and sizes."""

from __future__ import annotations

import io
import os
import re
import struct
import threading
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from kmosaic.errors import DataError
from kmosaic.images import ImageCollection, ReadOptions, load_dataset, load_images, memory_check
from kmosaic.models.image_model import ImageFormat

Save = Callable[..., Path]
GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
NOISE = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
DEEP = GREY.astype(np.uint16) * 256 + 7


def read(folder: Path, **options: Any) -> ImageCollection:
    return load_dataset(folder, ReadOptions(test_fraction=0, **options)).train


def only(folder: Path, **options: Any) -> NDArray[Any]:
    images = read(folder, **options).as_images()
    assert len(images) == 1
    return images[0]  # type: ignore[no-any-return]


def test_every_format(save_image: Save) -> None:
    for (suffix, options), values in product(
        [
            ("png", {}),
            ("tif", {}),
            ("webp", {"lossless": True}),
            ("bmp", {}),
            ("gif", {}),
            ("jpg", {"quality": 95}),
        ],
        [GREY, COLOUR],
    ):
        folder = save_image(f"{suffix} {values.ndim}/one.{suffix}", values, **options).parent
        mode = "auto"
        if suffix == "webp":
            mode = "rgb" if values.ndim == 3 else "grey"  # WebP stores all images in colour
        found = only(folder, mode=mode)
        assert found.dtype == np.uint8
        assert found.shape == values.shape
        # JPEG halves the resolution of colour, and GIF has a palette of 256.
        assert np.abs(found.astype(int) - values).max() <= (60 if suffix == "jpg" and values.ndim == 3 else 3)


def test_formats_are_told_by_content_not_by_name(save_image: Save, tmp_path: Path) -> None:
    save_image("one.png", GREY).rename(tmp_path / "one.jpg.txt")
    np.testing.assert_array_equal(only(tmp_path), GREY)


def test_16_bit_grey_stays_uint16(save_image: Save, tmp_path: Path) -> None:
    for suffix in ["png", "tif"]:
        save_image(f"one.{suffix}", DEEP)
        collection = read(tmp_path)
        np.testing.assert_array_equal(collection.as_images()[0], DEEP, strict=True)
        assert (collection.format.dtype, collection.format.max_value) == ("uint16", 65535)
        (tmp_path / f"one.{suffix}").unlink()


def test_big_endian_and_white_is_zero_tiff(tmp_path: Path) -> None:
    for name, order, photometric in (("a", ">", 1), ("b", "<", 0), ("c", ">", 0)):
        (tmp_path / f"{name}.tif").write_bytes(tiff_16(DEEP, order, photometric))
    collection = read(tmp_path)
    np.testing.assert_array_equal(collection.as_images(), [DEEP, 65535 - DEEP])
    # Pillow cannot read the last kind; then it must be told.
    assert [file.path for file in collection.skipped] == ["c.tif"]


def tiff_16(values: NDArray[np.uint16], order: str, photometric: int) -> bytes:
    """An uncompressed 16-bit grey TIFF, written by hand as Pillow writes only one kind."""
    height, width = values.shape
    tags = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 3, height),
        (279, 4, values.nbytes),
    ]
    entries = b"".join(
        struct.pack(
            order + ("HHIHH" if kind == 3 else "HHII"), tag, kind, 1, value, *([0] if kind == 3 else [])
        )
        for tag, kind, value in tags
    )
    start = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8)
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return start + directory + values.astype(f"{order}u2").tobytes()


def test_8_and_16_bit_mixed_become_16_bit_without_loss(save_image: Save, tmp_path: Path) -> None:
    save_image("a.png", GREY)
    save_image("b.png", DEEP)
    images = read(tmp_path).as_images()
    np.testing.assert_array_equal(images[0], GREY.astype(np.uint16) * 257, strict=True)
    np.testing.assert_array_equal(images[1], DEEP, strict=True)


def test_16_bit_grey_among_colour_becomes_8_bit(save_image: Save, tmp_path: Path) -> None:
    save_image("a.png", COLOUR)
    save_image("b.png", GREY.astype(np.uint16) * 257)
    images = read(tmp_path).as_images()
    np.testing.assert_array_equal(images[0], COLOUR, strict=True)
    np.testing.assert_array_equal(images[1], np.repeat(GREY[:, :, np.newaxis], 3, axis=2), strict=True)


def test_colour_anywhere_makes_all_rgb_unless_a_mode_is_named(save_image: Save, tmp_path: Path) -> None:
    save_image("a.png", GREY)
    save_image("b.png", COLOUR)
    assert read(tmp_path).format.channels == 3
    grey = read(tmp_path, mode="grey")
    assert grey.format.channels == 1
    np.testing.assert_array_equal(grey.as_images()[1], np.asarray(Image.fromarray(COLOUR).convert("L")))
    (tmp_path / "b.png").unlink()
    assert read(tmp_path).format.channels == 1
    assert read(tmp_path, mode="rgb").format.channels == 3


def test_transparency_is_laid_over_white(save_image: Save, tmp_path: Path) -> None:
    alpha = np.array([[0, 128, 255]], np.uint8)
    black = np.zeros((1, 3), np.uint8)
    save_image("rgba.png", np.dstack([black, black, black, alpha]))
    np.testing.assert_array_equal(only(tmp_path)[0, :, 0], [255, 127, 0])
    save_image("rgba.png", Image.merge("LA", (Image.fromarray(black), Image.fromarray(alpha))))
    np.testing.assert_array_equal(only(tmp_path), [[255, 127, 0]])


def test_palette_grey_and_colour_and_transparent(save_image: Save, tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    picture.putpalette([10, 10, 10, 20, 20, 20, 30, 30, 30])
    save_image("one.png", picture)
    np.testing.assert_array_equal(only(tmp_path), [[10, 20, 30]])
    picture.putpalette([10, 10, 10, 20, 20, 20, 200, 0, 0])
    save_image("one.png", picture, transparency=0)
    np.testing.assert_array_equal(only(tmp_path), [[[255] * 3, [20] * 3, [200, 0, 0]]])


def test_transparent_value_of_16_bit_grey_is_white(save_image: Save, tmp_path: Path) -> None:
    save_image("one.png", np.array([[5, 600]], np.uint16), transparency=5)
    np.testing.assert_array_equal(only(tmp_path), [[65535, 600]])


def test_bilevel_and_cmyk(save_image: Save, tmp_path: Path) -> None:
    save_image("one.png", Image.fromarray(GREY > 100))
    np.testing.assert_array_equal(only(tmp_path), np.where(GREY > 100, 255, 0))
    (tmp_path / "one.png").unlink()
    cmyk = Image.fromarray(COLOUR).convert("CMYK")
    save_image("one.tif", cmyk)
    np.testing.assert_array_equal(only(tmp_path), np.asarray(cmyk.convert("RGB")))


def test_first_picture_of_an_animation(save_image: Save, tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    for suffix in ("gif", "tif"):
        save_image(f"{suffix}/one.{suffix}", frames[0], save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(only(tmp_path / suffix), GREY)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def test_exif_orientation(save_image: Save) -> None:
    for orientation, kind in product(
        range(1, 9), ["jpg", "png", "webp", "tif", "deep.tif", "deep.png", "late.png"]
    ):
        # Stored pixels are turned back from this upright image, by the inverse of the orientation.
        values = DEEP if kind.startswith("deep") else GREY
        stored = {
            1: values,
            2: values[:, ::-1],
            3: values[::-1, ::-1],
            4: values[::-1],
            5: values.T,
            6: np.rot90(values, 1),
            7: values[::-1, ::-1].T,
            8: np.rot90(values, -1),
        }[orientation]
        exact = {"lossless": True} if kind == "webp" else {"quality": 100} if kind == "jpg" else {}
        path = save_image(f"{kind}/a.{kind}", np.ascontiguousarray(stored), exif=exif(orientation), **exact)
        if kind == "late.png":
            path.write_bytes(with_late_exif(path.read_bytes()))
        found = only(path.parent, mode="grey")
        assert found.shape == values.shape
        assert np.abs(found.astype(int) - values).max() <= (2 if kind == "jpg" else 0)


def with_late_exif(png: bytes) -> bytes:
    """The PNG with its eXIf chunk moved behind the pixels, where some programs put it."""
    start = png.index(b"eXIf") - 4
    length = 12 + int.from_bytes(png[start : start + 4], "big")
    chunk, rest = png[start : start + length], png[:start] + png[start + length :]
    end = rest.index(b"IEND") - 4
    return rest[:end] + chunk + rest[end:]


def test_exif_that_cannot_be_read_is_no_orientation(save_image: Save, tmp_path: Path) -> None:
    save_image("one.jpg", GREY, exif=b"Exif\0\0MM\0*nonsense", quality=100)
    assert only(tmp_path).shape == GREY.shape


def test_order_is_natural_and_ids_are_relative_paths(save_image: Save, tmp_path: Path) -> None:
    for number in (10, 9, 1):
        save_image(f"img{number}.png", np.full((2, 2), number, np.uint8))
    collection = read(tmp_path)
    assert collection.ids == ("img1.png", "img9.png", "img10.png")
    assert collection.pixels[:, 0].tolist() == [1, 9, 10]
    assert collection.name == tmp_path.name
    assert (collection.labels, collection.skipped) == (None, ())
    assert collection.pixels.flags.c_contiguous


def test_sub_folders_are_labels_and_a_test_set_is_held_out(save_image: Save, tmp_path: Path) -> None:
    for label in ("10", "9", "dog"):
        for number in range(5):
            save_image(f"{label}/deeper/{number}.png", GREY)
    dataset = load_dataset(tmp_path)
    assert dataset.test is not None
    assert re.search("stratified 20%, seed 0", dataset.test_origin)
    assert dataset.train.label_names == ("9", "10", "dog")
    assert dataset.train.labels is not None
    assert dataset.train.labels.dtype == np.int64
    assert np.bincount(dataset.train.labels).tolist() == [4, 4, 4]
    assert len(dataset.test) == 3
    assert dataset.train.ids[0].startswith("9/deeper/")


def test_images_beside_labelled_ones(save_image: Save, tmp_path: Path) -> None:
    save_image("a/one.png", GREY)
    save_image("two.png", GREY)
    with pytest.raises(DataError, match=r"1 image.*1 sub-folder.*two\.png"):
        load_dataset(tmp_path)
    form = ImageFormat(4, 6, 1, "uint8", 255)
    assert load_images(tmp_path, form).labels is None
    (tmp_path / "two.png").unlink()
    assert load_images(tmp_path, form).label_names == ("a",)


def test_a_readme_beside_labelled_images_is_only_skipped(save_image: Save, tmp_path: Path) -> None:
    save_image("a/one.png", GREY)
    (tmp_path / "README.txt").write_text("what this is")
    collection = read(tmp_path)
    assert collection.label_names == ("a",)
    assert [file.path for file in collection.skipped] == ["README.txt"]


def test_hidden_files_do_not_count(save_image: Save, tmp_path: Path) -> None:
    save_image("one.png", GREY)
    save_image(".cache/two.png", GREY)
    (tmp_path / "Thumbs.db").write_text("x")
    (tmp_path / ".DS_Store").write_text("x")
    collection = read(tmp_path, strict=True)
    assert collection.ids == ("one.png",)
    assert collection.skipped == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes")
def test_links_and_pipes(save_image: Save, tmp_path: Path) -> None:
    save_image("real.png", GREY)
    (tmp_path / "link.png").symlink_to("real.png")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    collection = read(tmp_path)
    assert collection.ids == ("link.png", "real.png")
    reasons = {file.path: file.reason for file in collection.skipped}
    assert sorted(reasons) == ["circle", "dangling", "device", "pipe"]
    assert "link to a folder" in reasons["circle"]
    assert "no file" in reasons["dangling"]
    assert reasons["device"] == reasons["dangling"]
    assert "neither" in reasons["pipe"]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_names_that_cannot_be_printed_are_escaped(save_image: Save, tmp_path: Path) -> None:
    path = save_image("one.png", GREY)
    path.rename(tmp_path / "a\nb.png")
    os.rename(save_image("two.png", GREY), os.fsencode(tmp_path) + b"/\xff.png")
    ids = read(tmp_path).ids
    assert ids == ("\\xff.png", "a\\x0ab.png")


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def as_bytes(values: NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def damaged_lzw() -> bytes:
    whole = bytearray(as_bytes(NOISE, "TIFF", compression="tiff_lzw"))
    middle = slice(len(whole) // 3, len(whole) // 2)
    whole[middle] = b"\xa5" * len(whole[middle])
    return bytes(whole)


BAD_FILES = {
    "empty.png": (b"", "empty file"),
    "text.png": (b"no image at all", "no PNG, JPEG"),
    "bomb.png": (png_claiming(40_000, 40_000), "more than 89,478,485"),
    "large.png": (png_claiming(10_000, 9_000), "more than 89,478,485"),
    "header.png": (as_bytes(COLOUR, "PNG")[:20], "cannot be decoded"),
    "truncated.png": (as_bytes(NOISE, "PNG")[:3000], "cannot be"),
    "short.png": (png_claiming(100, 100), "cannot be decoded"),
    "truncated.jpg": (as_bytes(NOISE, "JPEG")[:1500], "cannot be"),
    "truncated.bmp": (as_bytes(GREY, "BMP")[:1085], "cannot be decoded"),
    "truncated.gif": (as_bytes(GREY, "GIF")[:-20], "cannot be decoded"),
    "damaged.tif": (damaged_lzw(), "cannot be decoded"),
    "float.tif": (as_bytes(GREY.astype(np.float32), "TIFF"), "floating-point pixels"),
    "int.tif": (as_bytes(GREY.astype(np.int32), "TIFF"), "32-bit pixels"),
    "icon.ico": (b"\0\0\1\0\1\0", "no PNG, JPEG"),
}


def test_a_bad_file_is_skipped_with_its_reason_or_fatal(
    save_image: Save, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, (content, reason) in BAD_FILES.items():
        save_image("a.png", GREY)
        save_image("z.png", 255 - GREY)
        (tmp_path / name).write_bytes(content)
        collection = read(tmp_path, size=(4, 6))
        assert collection.ids == ("a.png", "z.png")
        np.testing.assert_array_equal(collection.as_images(), [GREY, 255 - GREY])
        assert [file.path for file in collection.skipped] == [name]
        assert reason in collection.skipped[0].reason
        assert collection.source == f"2 images from {tmp_path}, 1 skipped"
        with pytest.raises(DataError, match="1 file.*--strict"):
            read(tmp_path, size=(4, 6), strict=True)
        with pytest.raises(DataError, match=r"no usable image|is empty|IDX file"):
            load_images(tmp_path / name, ImageFormat(4, 6, 1, "uint8", 255))
        assert capfd.readouterr().err == "", name
        (tmp_path / name).unlink()


def test_all_files_bad(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("no image")
    with pytest.raises(DataError, match=r"5 files.*0\.txt.*no PNG.*2 more"):
        load_dataset(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty.*folder"):
        load_dataset(tmp_path)


def test_a_bomb_is_refused_even_where_pillow_was_told_not_to_mind(
    save_image: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    save_image("a.png", GREY)
    (tmp_path / "bomb.png").write_bytes(png_claiming(40_000, 40_000))
    assert "89,478,485" in read(tmp_path).skipped[0].reason


FUZZED = {kind: as_bytes(GREY, kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_give_an_image_or_a_skipped_file(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(FUZZED[data.draw(st.sampled_from(sorted(FUZZED)))])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "good.png").write_bytes(FUZZED["PNG"])
    (tmp_path / "changed").write_bytes(content)
    collection = read(tmp_path, size=(4, 6), mode="grey")
    assert len(collection) + len(collection.skipped) == 2
    assert "good.png" in collection.ids


def test_unlike_sizes_need_a_size(save_image: Save, tmp_path: Path) -> None:
    for number, shape in enumerate([(4, 6), (4, 6), (5, 5), (1, 2), (3, 3)]):
        save_image(f"{number}.png", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"6 x 4 \(2\).*1 other.*--size 64x64"):
        read(tmp_path)
    assert read(tmp_path, size=(3, 2)).as_images().shape == (5, 3, 2)


def test_policies(save_image: Save, tmp_path: Path) -> None:
    wide = np.repeat(np.array([[0, 0, 100, 100, 100, 100, 200, 200]], np.uint8), 4, axis=0)
    save_image("wide.png", wide)
    np.testing.assert_array_equal(only(tmp_path, size=(4, 4), fit="crop"), np.full((4, 4), 100))
    padded = only(tmp_path, size=(8, 8), fit="pad")
    np.testing.assert_array_equal(padded[2:6], wide)
    assert not padded[[0, 1, 6, 7]].any()
    stretched = only(tmp_path, size=(4, 4), fit="stretch")
    assert stretched.shape == (4, 4)
    assert stretched[0, 0] < 50 < 150 < stretched[0, 3]
    assert np.ptp(stretched, axis=0).max() == 0


def test_extreme_proportions(save_image: Save, tmp_path: Path) -> None:
    for fit, shape in product(["pad", "crop", "stretch"], [(1, 5000), (5000, 1), (1, 1)]):
        save_image("thin.png", np.full(shape, 90, np.uint8))
        found = only(tmp_path, size=(7, 5), fit=fit)
        assert set(np.unique(found).tolist()) <= {0, 90}
        assert found.max() == 90


def test_16_bit_is_resized_as_8_bit(save_image: Save, tmp_path: Path) -> None:
    for fit in ["pad", "crop", "stretch"]:
        save_image("a/one.png", GREY)
        save_image("b/one.png", GREY.astype(np.uint16) * 257)
        shallow = only(tmp_path / "a", size=(3, 3), fit=fit).astype(int)
        deep = only(tmp_path / "b", size=(3, 3), fit=fit)
        assert deep.dtype == np.uint16
        assert np.abs(deep / 257 - shallow).max() <= 1


def test_a_collection_larger_than_memory(
    save_image: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available = 40

    save_image("a.png", GREY)
    save_image("b.png", GREY)
    monkeypatch.setattr(memory_check.psutil, "virtual_memory", Little)
    with pytest.raises(DataError, match="2 images.*6 x 4 x 1.*uint8.*48 bytes"):
        read(tmp_path)


def test_many_images_in_threads_keep_their_order(save_image: Save, tmp_path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    for number in range(60):
        save_image(f"{number}.png", np.full((2, 3), number, np.uint8))
    for number in (7, 30, 59):
        (tmp_path / f"{number}.png").write_bytes(png_claiming(3, 2)[:45])
    dataset = load_dataset(tmp_path, progress=lambda *call: told.append(call))
    assert dataset.train.pixels[:, 0].tolist() == [n for n in range(60) if n not in (7, 30, 59)]
    assert dataset.train.ids == tuple(f"{n}.png" for n in range(60) if n not in (7, 30, 59))
    assert [call[2] for call in told] == ["looking at files"] * 60 + ["reading images"] * (len(told) - 60)
    assert told[-1][0] == told[-1][1]


def test_an_interrupt_ends_the_threads(save_image: Save, tmp_path: Path) -> None:
    for number in range(20):
        save_image(f"{number}.png", GREY)

    def interrupt(done: int, total: int | None, what: str) -> None:
        if what == "reading images" and done == total:
            raise AssertionError("all images were read")
        if what == "reading images":
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        load_dataset(tmp_path, progress=interrupt)
    assert threading.active_count() == before


def test_a_link_to_itself_is_listed_not_fatal(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    found = load_dataset(tmp_path).train
    assert found.ids == ("a.png",)
    assert [file.path for file in found.skipped] == ["self.png"]

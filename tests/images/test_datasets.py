"""Data sets by name, and new images brought to a model's form."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from kmosaic.errors import DataError
from kmosaic.images import ReadOptions, catalogue, load_dataset, load_images, registry
from kmosaic.models.image_model import ImageFormat

Save = Callable[..., Path]
DIGITS = ImageFormat(8, 8, 1, "uint8", 16)
GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def test_digits() -> None:
    dataset = load_dataset("digits")
    bunch = load_digits()
    assert dataset.test is not None
    assert dataset.train.format == replace(DIGITS, fit="pad")
    assert len(dataset.train) + len(dataset.test) == 1797
    for part in (dataset.train, dataset.test):
        rows = [int(row) for row in part.ids]
        np.testing.assert_array_equal(part.pixels, bunch.data[rows])
        np.testing.assert_array_equal(part.labels, bunch.target[rows])
    assert dataset.train.label_names == tuple("0123456789")
    assert re.match("1,797 images.*digits", dataset.train.source)


@pytest.mark.parametrize("direct", [False, True])
def test_mnist(direct: bool, shared_data: Path) -> None:
    folder = shared_data / "mnist"
    if not folder.is_dir():
        pytest.skip("no mnist/ in the data folder")
    dataset = load_dataset("mnist", ReadOptions(data_dir=folder if direct else shared_data))
    assert dataset.test is not None
    assert (dataset.train.pixels.shape, dataset.test.pixels.shape) == ((60_000, 784), (10_000, 784))
    assert dataset.train.pixels.dtype == np.uint8
    assert dataset.train.format.max_value == 255
    assert dataset.test_origin == "published split"
    assert dataset.train.labels is not None
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(dataset.train.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    # The mean of all training pixels, as every tutorial has it: 0.1307 of full brightness.
    assert round(dataset.train.pixels.mean() / 255, 4) == 0.1307
    assert (dataset.train.ids[-1], dataset.test.ids[0]) == ("train/59999", "test/0")


def test_mnist_is_found_where_the_variable_says(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shared_data / "mnist").is_dir():
        pytest.skip("no mnist/ in the data folder")
    monkeypatch.setenv("KMOSAIC_DATA", str(shared_data))
    card = next(card for card in catalogue() if card.name == "mnist")
    assert (card.status, card.location) == ("found", shared_data / "mnist")
    assert load_images("MNIST", DIGITS).pixels.shape == (10_000, 64)


def test_catalogue_without_any_data(tmp_path: Path) -> None:
    digits, mnist, fashion = catalogue(tmp_path)
    assert (digits.status, digits.shape, digits.bytes_download) == ("embedded", (8, 8, 1), 0)
    for card in (mnist, fashion):
        assert (card.status, card.location, card.n_train, card.n_test) == (
            "downloadable",
            None,
            60_000,
            10_000,
        )
        assert len(card.mirrors) >= 2
        assert all(mirror.startswith("https://") for mirror in card.mirrors)
        assert card.licence
        assert card.citation
    assert mnist.bytes_download == 11_594_722


def test_a_data_set_counts_as_found_only_when_whole(tmp_path: Path) -> None:
    for file in registry.IDX_DATASETS["fashion-mnist"].files[:3]:
        (tmp_path / "fashion-mnist").mkdir(exist_ok=True)
        (tmp_path / "fashion-mnist" / file.name).write_bytes(b"")
    assert catalogue(tmp_path)[2].status == "downloadable"
    (tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    assert catalogue(tmp_path)[2].status == "found"


def test_fashion_mnist_files_right_in_the_data_folder_are_taken_for_mnist_and_refused(tmp_path: Path) -> None:
    for file in registry.IDX_DATASETS["mnist"].files:
        (tmp_path / file.name).write_bytes(b"\0\0\x08\x01\0\0\0\x01\x07")
    with pytest.raises(DataError, match="wrong checksum"):
        load_dataset("mnist", ReadOptions(data_dir=tmp_path))


def test_no_such_source() -> None:
    for source, message in [
        ("minst", r"'minst'.*mnist\?"),
        ("no/such/place", "neither.*folder"),
        ("a\0b", "cannot be read|neither"),
        ("x" * 5000, "cannot be read|neither"),
    ]:
        with pytest.raises(DataError, match=message):
            load_dataset(source)
        with pytest.raises(DataError, match=message):
            load_images(source, DIGITS)


def test_a_path_is_never_taken_for_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_image: Save
) -> None:
    monkeypatch.chdir(tmp_path)
    save_image("digits/one.png", GREY)
    assert len(load_dataset("./digits").train) == 1
    assert len(load_dataset(Path("digits")).train) == 1
    assert len(load_dataset("digits").train) == 1438


def test_files_that_are_no_data_set(tmp_path: Path, save_image: Save) -> None:
    (tmp_path / "a.csv").write_text("1,2,3")
    (tmp_path / "empty").write_bytes(b"")
    for path, message in (
        (tmp_path / "a.csv", ".npy.*.npz.*IDX"),
        (tmp_path / "empty", "is empty"),
        (save_image("one.png", GREY), "folder of images"),
    ):
        with pytest.raises(DataError, match=message):
            load_dataset(path)


def test_new_images_from_a_folder_take_the_models_form(save_image: Save, tmp_path: Path) -> None:
    colour = np.stack([GREY, GREY, GREY], axis=2)
    save_image("new/b.png", colour)
    save_image("new/a.png", GREY.astype(np.uint16) * 257)
    form = ImageFormat(4, 6, 1, "uint8", 255, "crop")
    found = load_images(tmp_path / "new", form, ReadOptions(size=(99, 99), mode="rgb", fit="pad"))
    assert found.format == form
    assert found.ids == ("a.png", "b.png")
    np.testing.assert_array_equal(found.as_images(), [GREY, GREY])


def test_white_is_white_in_every_form(save_image: Save, tmp_path: Path) -> None:
    for (form, expected), kind in product(
        [
            (ImageFormat(1, 3, 1, "uint8", 255), [0, 128, 255]),
            (ImageFormat(1, 3, 1, "uint16", 65535), [0, 128 * 257, 65535]),
            (ImageFormat(1, 3, 1, "uint8", 16), [0, 8, 16]),
            (ImageFormat(1, 3, 1, "float32", 1.0), [0, np.float32(128 / 255), 1]),
            (ImageFormat(1, 3, 1, "float64", 255.0), [0, 128, 255]),
            (ImageFormat(1, 3, 3, "float64", 1.0), [0, 0, 0, 128 / 255, 128 / 255, 128 / 255, 1, 1, 1]),
        ],
        ["png", "deep.png", "npy", "rgb.png"],
    ):
        values = np.array([[0, 128, 255]], np.uint8)
        if kind == "npy":
            np.save(tmp_path / "one.npy", values[np.newaxis])
            path = tmp_path / "one.npy"
        else:
            stored = {
                "png": values,
                "deep.png": values.astype(np.uint16) * 257,
                "rgb.png": np.repeat(values[:, :, np.newaxis], 3, axis=2),
            }[kind]
            path = save_image(f"one.{kind}", stored)
        found = load_images(path, form)
        assert found.pixels.dtype == form.dtype
        assert found.pixels[0].tolist() == expected


def test_one_image_does_not_depend_on_its_companions(save_image: Save, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    picture = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    alone = save_image("new/a.png", picture)
    for form in (ImageFormat(7, 7, 1, "uint8", 255), ImageFormat(7, 7, 1, "float32", 1.0)):
        before = load_images(alone, form).pixels[0]
        save_image("new/b.png", generator.integers(0, 65536, (20, 30), dtype=np.uint16))
        both = load_images(tmp_path / "new", form)
        np.testing.assert_array_equal(both.pixels[0], before)
        (tmp_path / "new" / "b.png").unlink()


def test_the_units_of_new_arrays(tmp_path: Path) -> None:
    for values, form, expected in [
        ([0.0, 16.0], DIGITS, [0, 16]),
        ([0.0, 1.0], DIGITS, [0, 16]),
        ([0.0, 255.0], DIGITS, [0, 16]),
        ([0.0, 255.0], replace(DIGITS, max_value=255), [0, 255]),
        ([0.0, 1.0], replace(DIGITS, max_value=255), [0, 255]),
        ([0.0, 200.0], ImageFormat(8, 8, 1, "float32", 1.0), [0, np.float32(200 / 255)]),
        ([-1.0, 0.5], ImageFormat(8, 8, 1, "float32", 3.0), [-1, 0.5]),
    ]:
        images = np.zeros((2, 8, 8))
        images[:, 0, :2] = values
        np.save(tmp_path / "new.npy", images)
        assert load_images(tmp_path / "new.npy", form).pixels[0, :2].tolist() == expected


def test_integer_arrays_in_the_models_own_units(tmp_path: Path) -> None:
    digits = load_dataset("digits", ReadOptions(test_fraction=0)).train
    np.save(tmp_path / "same.npy", digits.as_images())
    np.save(tmp_path / "rows.npy", digits.pixels)
    np.save(tmp_path / "bright.npy", digits.as_images() * np.uint8(15))
    for name in ("same", "rows", "bright"):
        found = load_images(tmp_path / f"{name}.npy", DIGITS)
        difference = np.abs(found.pixels.astype(int) - digits.pixels)
        assert difference.max() <= (0 if name != "bright" else 1)


def test_rows_of_the_models_shape_are_not_taken_for_squares(tmp_path: Path) -> None:
    rows = np.arange(72, dtype=np.uint8).reshape(2, 36)
    np.save(tmp_path / "rows.npy", rows)
    found = load_images(tmp_path / "rows.npy", ImageFormat(4, 9, 1, "uint8", 255))
    np.testing.assert_array_equal(found.pixels, rows)


def test_the_test_part_is_what_is_predicted(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "both.npz",
        x_train=np.zeros((3, 8, 8), np.uint8),
        x_test=np.full((2, 8, 8), 255, np.uint8),
        y_test=[1, 2],
    )
    found = load_images(tmp_path / "both.npz", DIGITS)
    assert (found.ids, found.label_names) == (("test/0", "test/1"), ("1", "2"))
    assert np.unique(found.pixels).tolist() == [16]


def test_strict_holds_for_new_images(save_image: Save, tmp_path: Path) -> None:
    save_image("a.png", GREY)
    (tmp_path / "b.txt").write_text("no image")
    assert [file.path for file in load_images(tmp_path, DIGITS).skipped] == ["b.txt"]
    with pytest.raises(DataError, match="1 file"):
        load_images(tmp_path, DIGITS, ReadOptions(strict=True))


def test_a_model_of_many_channels_takes_no_pictures() -> None:
    with pytest.raises(DataError, match="7 channels"):
        load_images("digits", ImageFormat(8, 8, 7, "uint8", 255))


def test_one_image_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_text("no image")
    with pytest.raises(DataError, match=r"one\.png.*PNG"):
        load_images(tmp_path / "one.png", DIGITS)


def test_photos_of_unlike_sizes(shared_data: Path) -> None:
    folder = shared_data / "kodak"
    if not folder.is_dir():
        pytest.skip("no kodak/ in the data folder")
    with pytest.raises(DataError, match=r"768 x 512 \(11\), 512 x 768 \(1\)"):
        load_dataset(folder)
    found = load_dataset(folder, ReadOptions(size=(32, 48), fit="crop")).train
    assert found.as_images().shape == (12, 32, 48, 3)
    with Image.open(folder / found.ids[0]) as picture:
        expected = np.asarray(picture.resize((48, 32), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found.as_images()[0], expected)

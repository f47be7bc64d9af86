"""Arrays in .npy and .npz files: shapes, dtypes, brightness, labels, and files made to harm."""

from __future__ import annotations

import builtins
import io
import pickle
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images import Dataset, ImageCollection, ReadOptions, load_dataset, load_images, memory_check
from kmosaic.models.image_model import ImageFormat

FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., ImageCollection]:
    """Save one array and load it again."""

    def save_and_load(array: Any, **options: Any) -> ImageCollection:
        np.save(tmp_path / "some.npy", array)
        return load_dataset(tmp_path / "some.npy", ReadOptions(**options)).train

    return save_and_load


@pytest.fixture
def load_npz(tmp_path: Path) -> Callable[..., Dataset]:
    def save_and_load(options: ReadOptions | None = None, **arrays: Any) -> Dataset:
        np.savez_compressed(tmp_path / "some.npz", **arrays)
        return load_dataset(str(tmp_path / "some.npz"), options or ReadOptions())

    return save_and_load


Load = Callable[..., ImageCollection]
LoadNpz = Callable[..., Dataset]


def test_the_four_dtypes_stay_as_they_are(load: Load) -> None:
    for dtype in ["uint8", "uint16", "float32", "float64", ">u2", ">f4", ">f8"]:
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        found = load(array)
        np.testing.assert_array_equal(found.as_images(), array)
        assert found.pixels.dtype == np.dtype(dtype).newbyteorder("=")
        assert found.pixels.flags.c_contiguous
        assert (found.ids, found.labels, found.format.shape) == (("0", "1"), None, (3, 4, 1))
        assert found.name == "some.npy"


def test_other_numbers_are_narrowed_or_widened_without_loss(load: Load) -> None:
    for stored, high, expected in [
        ("int64", 255, "uint8"),
        ("int64", 256, "uint16"),
        ("int8", 100, "uint8"),
        ("uint32", 65535, "uint16"),
        ("uint64", 7, "uint8"),
        ("float16", 8, "float32"),
    ]:
        array = np.array([[[0, 1], [2, high]]]).astype(stored)
        found = load(array)
        assert found.pixels.dtype == expected
        np.testing.assert_array_equal(found.as_images(), array)


def test_booleans_are_black_and_white(load: Load) -> None:
    assert load(np.array([[[True, False]]])).pixels.tolist() == [[255, 0]]


def test_no_images(load: Load) -> None:
    for array, message in [
        (np.full((2, 2, 2), -1), "-1.*-1"),
        (np.full((2, 2, 2), 65536), "integer pixels from 65536"),
        (np.full((2, 2, 2), 2**64 - 1, np.uint64), "integer pixels"),
        (np.full((2, 2, 2), 1j), "dtype complex128"),
        (np.full((2, 2, 2), "x"), "dtype <U1"),
        (np.array([[[1.0]], [[np.nan]], [[np.inf]]]), "NaN.*2 rows.*row 1"),
        (np.zeros((0, 2, 2)), "has no images"),
        (np.zeros((2, 0, 2)), "has no images"),
        (np.zeros((2, 0)), "rows of 0 values"),
        (np.zeros(5), "array of shape \\(5,\\)"),
        (np.float64(5), "array of shape \\(\\)"),
        (np.zeros((2, 2, 2, 4)), "array of shape \\(2, 2, 2, 4\\)"),
        (np.zeros((2, 3, 8, 8)), "channels"),
        (np.zeros((2, 2, 2, 2, 2)), "array of shape"),
        (np.zeros((2, 7)), "7 values.*square"),
        (np.array([{}, {}]), "dtype object"),
        (np.zeros(3, dtype=[("a", "f4")]), "dtype"),
        (np.zeros((2, 2, 2), "M8[s]"), "dtype"),
    ]:
        with pytest.raises(DataError, match=message):
            load(array)


def test_full_brightness_of_floats(load: Load) -> None:
    for largest, expected in [
        (0.0, 1),
        (0.5, 1),
        (1.0, 1),
        (1.5, 1.5),
        (16, 16),
        (128, 255),
        (255, 255),
        (256, 256),
        (40_000, 65535),
    ]:
        # 127.5 is half of 255: from there on a picture of 0..255 is meant.
        found = load(np.array([[[0, largest]], [[0, 0]]], np.float64))
        assert found.format.max_value == expected


def test_negative_floats_are_kept(load: Load) -> None:
    array = np.array([[[-1.5, 0.5]]])
    np.testing.assert_array_equal(load(array).as_images(), array)


def test_rows_of_pixels(load: Load) -> None:
    assert load(np.zeros((2, 49))).format.shape == (7, 7, 1)
    assert load(np.zeros((2, 12))).format.shape == (2, 2, 3)
    assert load(np.zeros((2, 36))).format.shape == (6, 6, 1)
    assert load(np.zeros((2, 12)), size=(3, 4)).format.shape == (3, 4, 1)
    assert load(np.zeros((2, 36)), size=(3, 4)).format.shape == (3, 4, 3)
    with pytest.raises(DataError, match="5 x 3"):
        load(np.zeros((2, 36)), size=(3, 5))


def test_size_and_mode_apply_to_arrays(load: Load) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    found = load(colour, size=(2, 2), mode="grey", fit="stretch")
    assert found.format == ImageFormat(2, 2, 1, "uint8", 255, "stretch")
    assert load(colour).as_images().shape == colour.shape
    grey = load(np.full((2, 3, 3), 1000, np.uint16), mode="rgb", size=(2, 2))
    np.testing.assert_array_equal(grey.as_images(), np.full((2, 2, 2, 3), 1000))


def test_fortran_order(load: Load) -> None:
    array = np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    found = load(array)
    np.testing.assert_array_equal(found.as_images(), array)
    assert found.pixels.flags.c_contiguous


def test_npz_names(load_npz: LoadNpz) -> None:
    for image_key, label_key in product(["images", "X", "x", "data"], ["labels", "y", "target"]):
        dataset = load_npz(
            **{image_key: np.zeros((10, 2, 2), np.uint8), label_key: np.arange(10) % 2, "other": [1]}
        )
        assert dataset.test is not None
        assert (len(dataset.train), len(dataset.test)) == (8, 2)
        assert dataset.train.label_names == ("0", "1")


def test_npz_with_one_array_of_any_name(load_npz: LoadNpz) -> None:
    assert len(load_npz(anything=np.zeros((3, 2, 2))).train) == 3


def test_keras_layout(load_npz: LoadNpz) -> None:
    dataset = load_npz(
        x_train=np.full((3, 2, 2), 5, np.uint8),
        y_train=np.array([2, 0, 2]),
        x_test=np.full((2, 2, 2), 6, np.uint8),
        y_test=np.array([7, 0]),
    )
    assert dataset.test is not None
    assert "own test part" in dataset.test_origin
    assert dataset.train.label_names == dataset.test.label_names == ("0", "2", "7")
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == [1, 0, 1]
    assert dataset.test.labels is not None
    assert dataset.test.labels.tolist() == [2, 0]
    assert dataset.train.ids == ("train/0", "train/1", "train/2")
    assert dataset.test.ids == ("test/0", "test/1")


def test_labels(load_npz: LoadNpz) -> None:
    for labels, names, codes in [
        (np.array(["b10", "b9", "a"]), ("a", "b9", "b10"), [2, 1, 0]),
        (np.array([b"dog", b"\xff", b"dog"]), ("\\xff", "dog"), [1, 0, 1]),
        (np.array([10, -1, 9]), ("-1", "9", "10"), [2, 0, 1]),
        (np.array([[1], [0], [1]], np.uint8), ("0", "1"), [1, 0, 1]),
        (np.array([1.0, 0.0, 1.0]), ("0", "1"), [1, 0, 1]),
        (np.array([True, False, True]), ("0", "1"), [1, 0, 1]),
    ]:
        found = load_npz(ReadOptions(test_fraction=0), X=np.zeros((3, 2, 2)), y=labels).train
        assert found.label_names == names
        assert found.labels is not None
        assert found.labels.tolist() == codes


def test_npz_that_cannot_be_used(load_npz: LoadNpz) -> None:
    for arrays, message in [
        ({"X": np.zeros((3, 2, 2)), "y": np.zeros(2)}, "3 images and 2 labels"),
        ({"X": np.zeros((3, 2, 2)), "y": np.eye(3)}, "labels of shape \\(3, 3\\)"),
        ({"X": np.zeros((3, 2, 2)), "y": np.array([0.5, 1, 2])}, "float64"),
        ({"X": np.zeros((3, 2, 2)), "y": np.array([np.nan, 1, 2])}, "float64"),
        ({"X": np.zeros((3, 2, 2)), "y": np.array([1j, 1, 2])}, "complex128"),
        ({"X": np.zeros((3, 2, 2)), "y": np.array([{}, 1, 2])}, "object"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, "arrays"),
        ({"y": np.zeros(3), "z": np.zeros(3)}, "has no images"),
        ({"y": np.zeros(3)}, "has no images"),
        ({"x_train": np.zeros((3, 2, 2)), "x_test": np.zeros((3, 2, 3))}, "unlike shapes"),
        ({"x_train": np.zeros((3, 2, 2)), "x_test": np.zeros((3, 2, 2), np.uint8)}, "the same throughout"),
        (
            {
                "x_train": np.zeros((1, 2, 2)),
                "x_test": np.zeros((1, 2, 2)),
                "y_train": np.array(["a"]),
                "y_test": np.array([1]),
            },
            "labels.*text",
        ),
    ]:
        with pytest.raises(DataError, match=message):
            load_npz(**arrays)


class Harmful:
    """An object whose unpickling leaves a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import builtins; builtins.harmed = True",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Harmful()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", X=np.array([Harmful()], dtype=object))
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Harmful()))
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(DataError):
            load_dataset(tmp_path / name)
        with pytest.raises(DataError):
            load_images(tmp_path / name, ImageFormat(2, 2, 1, "uint8", 255))
    assert not hasattr(builtins, "harmed")


def npy_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_header_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    whole = npy_bytes(np.zeros((2, 2, 2), np.uint8))
    claim = whole.replace(b"(2, 2, 2), }        ", b"(9999999, 999, 99), }")[: len(whole)]
    for content in (claim, whole[:-1], whole + b"x", whole[:20], whole.replace(b"(2, 2", b"(-2,2")):
        (tmp_path / "some.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"truncated or damaged|cannot be read"):
            load_dataset(tmp_path / "some.npy")


def test_a_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Little:
        available = 1_000_000

    monkeypatch.setattr(memory_check.psutil, "virtual_memory", Little)
    np.savez_compressed(tmp_path / "bomb.npz", X=np.zeros((2, 1000, 1000), np.uint8))
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    with pytest.raises(DataError, match=r"X\.npy.*2\.0 MB.*1\.0 MB"):
        load_dataset(tmp_path / "bomb.npz")


def test_zip_files_that_are_no_npz(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("X.npy", npy_bytes(np.zeros((2, 2, 2))))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("../../escape.npy", b"no array")
    with zipfile.ZipFile(tmp_path / "c.npz", "w"):
        pass
    for name, message in (("a", "NumPy"), ("b", "cannot be read"), ("c", "arrays.*none")):
        with pytest.raises(DataError, match=message):
            load_dataset(tmp_path / f"{name}.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


@FUZZ
@given(data=st.data())
def test_changed_bytes_of_npy_and_npz(data: st.DataObject, tmp_path: Path) -> None:
    array = np.arange(16, dtype=np.uint8).reshape(4, 2, 2)
    if data.draw(st.booleans()):
        content = bytearray(npy_bytes(array))
    else:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, X=array, y=np.arange(4))
        content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "changed").write_bytes(content)
    try:
        found = load_dataset(tmp_path / "changed").train
    except DataError:
        return
    assert len(found) <= 16


def test_mnist_file_layout_in_a_folder_of_any_name(mnist_shaped: Path) -> None:
    dataset = load_dataset(mnist_shaped)
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test), dataset.name) == (20, 10, "four")
    assert dataset.train.format.shape == (4, 3, 1)
    assert dataset.train.label_names == ("0", "1", "2", "3")
    (mnist_shaped / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte"):
        load_dataset(mnist_shaped)


def test_one_idx_file_with_and_without_its_labels(mnist_shaped: Path) -> None:
    images = mnist_shaped / "train-images-idx3-ubyte.gz"
    dataset = load_dataset(images)
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    labels = mnist_shaped / "train-labels-idx1-ubyte.gz"
    with pytest.raises(DataError, match="holds 20 single values"):
        load_dataset(labels)
    labels.unlink()
    assert load_dataset(images).test is None


def test_long_doubles_beyond_float64_are_infinite(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((9, 4), np.longdouble("1e4000")))
    with pytest.raises(DataError, match="NaN or infinity"):
        load_dataset(tmp_path / "x.npy")

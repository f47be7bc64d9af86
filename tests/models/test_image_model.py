"""Model files come back to the bit, and no file, however made, does more than raise ModelFileError."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster as peers
from sklearn.datasets import load_digits

from kmosaic.cluster import KMeans
from kmosaic.errors import DataError, ModelFileError, OutputError
from kmosaic.models.image_model import (
    ClusterNaming,
    ImageFormat,
    Model,
    Origin,
    load_model,
    save_model,
)
from model_files import forge

TINY = ImageFormat(height=2, width=3, channels=1, dtype="uint8", max_value=255)


def tiny_model(**changes: Any) -> Model:
    fields: dict[str, Any] = {
        "cluster_centers": np.array([[1 / 3, 2, 3, 4, 5, 254.9], [0, 0, 0, 0, 0, 5e-324]]),
        "image": TINY,
        "algorithm": "KMeans",
        "parameters": {"n_clusters": 2, "init": "k-means++", "tol": 0.1, "random_state": None},
        "feature_names": None,
        "cluster_sizes": np.array([7, 5]),
        "inertia": 1234.1,
        "n_iter": 3,
        "converged": True,
        "seed": 0,
        "cluster_names": ("zéro", "one"),
        "label_names": ("zéro", "one", "two"),
        "label_shares": np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]),
        "trained_on": "made data",
        "kmosaic_version": "0.1.0",
        "command": "kmosaic fit photos -o m.kmosaic",
    }
    return Model(**{**fields, **changes})


def assert_equal_models(left: Model, right: Model) -> None:
    for name in Model.__dataclass_fields__:
        ours, theirs = getattr(left, name), getattr(right, name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            assert ours.tobytes() == theirs.tobytes(), name
        else:
            assert ours == theirs, name
            assert type(ours) is type(theirs), name


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.kmosaic"
    save_model(tiny_model(), path)
    return path


def test_round_trip_is_bit_exact(saved: Path) -> None:
    assert_equal_models(load_model(saved), tiny_model())


def test_round_trip_without_names(tmp_path: Path) -> None:
    model = tiny_model(cluster_names=None, label_names=None, label_shares=None, command=None, seed=None)
    save_model(model, tmp_path / "m")
    assert_equal_models(load_model(tmp_path / "m"), model)
    assert load_model(tmp_path / "m").naming is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_model_comes_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    centers = st.floats(min_value=-1e100, max_value=1e100)
    model = tiny_model(
        cluster_centers=np.array(data.draw(st.lists(centers, min_size=12, max_size=12))).reshape(2, 6),
        inertia=data.draw(st.floats(min_value=0, allow_infinity=False)),
        trained_on=data.draw(text),
        command=data.draw(st.none() | text),
        parameters=data.draw(
            st.dictionaries(text, st.none() | st.booleans() | st.integers() | finite | text, max_size=3)
        ),
        feature_names=data.draw(st.none() | st.tuples(*[text] * 6)),
    )
    path = tmp_path_factory.mktemp("models") / "m"
    save_model(model, path)
    assert_equal_models(load_model(path), model)


def test_equal_models_make_equal_bytes(tmp_path: Path) -> None:
    parameters = {"tol": 0.1, "random_state": None, "init": "k-means++", "n_clusters": 2}
    save_model(tiny_model(), tmp_path / "a")
    save_model(tiny_model(parameters=parameters), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_existing_file_is_kept_unless_told(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        save_model(tiny_model(seed=5), saved)
    assert saved.read_bytes() == before
    save_model(tiny_model(seed=5), saved, overwrite=True)
    assert load_model(saved).seed == 5


def test_every_truncation_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(len(whole)):
        saved.write_bytes(whole[:length])
        with pytest.raises(ModelFileError) as caught:
            load_model(saved)
        assert "kmosaic fit" in str(caught.value)
        assert "\n" not in str(caught.value)


@settings(max_examples=400, deadline=None)
@given(position=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_a_flipped_byte_never_gives_another_model(
    tmp_path_factory: pytest.TempPathFactory, position: int, mask: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "m"
    save_model(tiny_model(), path)
    damaged = bytearray(path.read_bytes())
    damaged[position % len(damaged)] ^= mask
    path.write_bytes(damaged)
    try:
        model = load_model(path)
    except ModelFileError:
        return
    # Spaces that pad the header, and other spellings of the same JSON, are no damage.
    assert_equal_models(model, tiny_model())


def test_flips_in_the_arrays_are_all_found(saved: Path) -> None:
    whole = saved.read_bytes()
    for offset in range(1, 2 * 6 * 8 + 2 * 8 + 1):
        damaged = bytearray(whole)
        damaged[-offset] ^= 0x01
        saved.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="checksum"):
            load_model(saved)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300), header=st.booleans())
def test_any_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bool
) -> None:
    path = tmp_path_factory.mktemp("noise") / "m"
    path.write_bytes(len(content).to_bytes(8, "little") + b"{" + content if header else content)
    with pytest.raises(ModelFileError):
        load_model(path)


NAN_CENTERS = np.full((2, 6), np.nan)
FORGERIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("another number of features", {}, {"cluster_centers": np.zeros((2, 5))}),
    ("not finite", {}, {"cluster_centers": NAN_CENTERS}),
    ("no clusters", {}, {"cluster_centers": np.zeros((0, 6)), "cluster_sizes": np.zeros(0, np.int64)}),
    ("centres flat", {}, {"cluster_centers": np.zeros(12)}),
    ("float32 centres", {}, {"cluster_centers": np.zeros((2, 6), np.float32)}),
    ("sizes of another length", {}, {"cluster_sizes": np.zeros(3, np.int64)}),
    ("negative size", {}, {"cluster_sizes": np.array([-1, 3])}),
    ("no sizes", {}, {"cluster_sizes": None}),
    ("further array", {}, {"payload": np.zeros(3)}),
    ("shares above 1", {}, {"label_shares": np.full((2, 3), 2.0)}),
    ("shares not finite", {}, {"label_shares": np.full((2, 3), np.nan)}),
    ("shares for other clusters", {}, {"label_shares": np.full((3, 3), 1 / 3)}),
    ("shares without columns", {"label_names": []}, {"label_shares": np.zeros((2, 0))}),
    ("names without shares", {}, {"label_shares": None}),
    ("a name that is no label", {"cluster_names": ["zéro", "three"]}, {}),
    ("one name for two clusters", {"cluster_names": ["one"]}, {}),
    ("names as text", {"cluster_names": "ab"}, {}),
    ("names as numbers", {"cluster_names": [1, 2]}, {}),
    ("a name that clears the screen", {"label_names": ["zéro", "one", "\x1b[2J"]}, {}),
    ("half a surrogate pair", {"trained_on": "\ud800"}, {}),
    ("five features named", {"feature_names": list("abcde")}, {}),
    ("image as text", {"image": "8x8"}, {}),
    ("image without width", {"image": {"height": 6}}, {}),
    ("image of negative height", {"image": {**asdict(TINY), "height": -2, "width": -3}}, {}),
    ("image height as float", {"image": {**asdict(TINY), "height": 2.0}}, {}),
    ("unknown dtype", {"image": {**asdict(TINY), "dtype": "object"}}, {}),
    ("unknown fit", {"image": {**asdict(TINY), "fit": "rotate"}}, {}),
    ("max_value 0", {"image": {**asdict(TINY), "max_value": 0}}, {}),
    ("max_value of uint8 256", {"image": {**asdict(TINY), "max_value": 256}}, {}),
    ("unknown algorithm", {"algorithm": "os.system"}, {}),
    ("algorithm as list", {"algorithm": ["KMeans"]}, {}),
    ("parameters as list", {"parameters": []}, {}),
    ("nested parameters", {"parameters": {"a": {"b": 1}}}, {}),
    ("inertia as text", {"inertia": "12"}, {}),
    ("negative inertia", {"inertia": -1.0}, {}),
    ("inertia true", {"inertia": True}, {}),
    ("n_iter as float", {"n_iter": 3.5}, {}),
    ("n_iter huge", {"n_iter": 10**30}, {}),
    ("converged 1", {"converged": 1}, {}),
    ("negative seed", {"seed": -1}, {}),
    ("command as number", {"command": 0}, {}),
    ("a field missing", {"n_iter": "<absent>"}, {}),
    ("a field more", {"plugin": "x"}, {}),
    ("an array's name as field", {"cluster_centers": [[1.0]]}, {}),
    ("schema version as text", {"schema_version": "1"}, {}),
    ("schema version missing", {"schema_version": "<absent>"}, {}),
]


def test_a_signed_forgery_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for name, changes, arrays in FORGERIES:
        saved.write_bytes(whole)
        forge(saved, changes, arrays)
        with pytest.raises(ModelFileError, match="damaged") as caught:
            load_model(saved)
        assert "checksum" not in str(caught.value), f"{name}: must be refused for a fault of its own"
        str(caught.value).encode()


def test_the_forger_itself_makes_files_that_load(saved: Path) -> None:
    forge(saved, {"n_iter": 9})
    assert_equal_models(load_model(saved), tiny_model(n_iter=9))


def test_a_newer_schema_asks_for_an_upgrade(saved: Path) -> None:
    forge(saved, {"schema_version": 7, "new_field": 1})
    with pytest.raises(ModelFileError, match=r"schema version 7.*upgrade"):
        load_model(saved)


def _write_raw(header: str, path: Path) -> None:
    encoded = header.encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded)


FOREIGN: list[tuple[Callable[[Path], Any], str]] = [
    (lambda path: path.write_bytes(b""), "not a kmosaic"),
    (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9), "not a kmosaic"),
    (lambda path: path.write_bytes((1 << 60).to_bytes(8, "little") + b"{"), "not a kmosaic"),
    (lambda path: path.write_bytes(safetensors.numpy.save({"w": np.zeros(3)})), "not a kmosaic"),
    (lambda path: path.mkdir(), "not a kmosaic"),
    (lambda path: os.mkfifo(path), "not a kmosaic"),
    (lambda _: None, "No such file"),
    (lambda path: _write_raw('{"a":' * 200_000, path), "damaged"),
    (lambda path: _write_raw('{"a":1,"a":2}', path), "twice"),
    (
        lambda path: _write_raw(json.dumps({"__metadata__": {"kmosaic": '{"a":' * 100_000}}), path),
        "damaged",
    ),
]


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    for number, (write, message) in enumerate(FOREIGN):
        path = tmp_path / f"{number}.kmosaic"
        write(path)
        with pytest.raises(ModelFileError, match=message):
            load_model(path)


def test_a_file_past_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.kmosaic"
    with path.open("wb") as stream:
        stream.truncate((1 << 32) + 1)
    with pytest.raises(ModelFileError, match="more than"):
        load_model(path)


def test_from_fit_holds_what_was_found(tmp_path: Path) -> None:
    X = load_digits().data.astype(np.uint8)
    fitted = KMeans(n_clusters=10, random_state=3).fit(X)
    naming = ClusterNaming(("a\nb",) * 10, ("a\nb",), np.ones((10, 1)))
    image = ImageFormat(8, 8, 1, "uint8", 16)
    model = Model.from_fit(fitted, image, naming=naming, origin=Origin("digits", "fit \x1b[2J"))
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.cluster_centers.tobytes() == fitted.cluster_centers_.tobytes()
    assert loaded.cluster_sizes.tolist() == [int((fitted.labels_ == j).sum()) for j in range(10)]
    assert (loaded.algorithm, loaded.seed, loaded.n_clusters) == ("KMeans", 3, 10)
    assert (loaded.inertia, loaded.n_iter, loaded.converged) == (
        fitted.inertia_,
        fitted.n_iter_,
        fitted.converged_,
    )
    assert loaded.command == "fit \ufffd[2J"
    assert loaded.cluster_names == ("a\ufffdb",) * 10
    assert loaded.parameters["n_clusters"] == 10
    assert "callback" not in loaded.parameters


def test_from_fit_describes_parameters_that_json_cannot_hold() -> None:
    rows = np.array([[0.0], [1.0], [9.0]])
    fitted = KMeans(n_clusters=2, init=rows[[0, 2]], n_init=1, random_state=np.random.RandomState(0)).fit(
        rows
    )
    model = Model.from_fit(fitted, ImageFormat(1, 1, 1, "float64", 1.0))
    assert model.parameters["init"] == "array of shape (2, 1)"
    assert model.parameters["random_state"] == "a RandomState"
    assert model.seed is None


def test_from_fit_refuses_clusterers_that_do_not_take_the_nearest_centroid() -> None:
    rows = np.arange(12.0).reshape(12, 1)
    for kind in (peers.BisectingKMeans, peers.MiniBatchKMeans, peers.Birch):
        fitted = kind(n_clusters=2).fit(rows)
        with pytest.raises(ValueError, match=kind.__name__):
            Model.from_fit(fitted, ImageFormat(1, 1, 1, "float64", 1.0))


def test_predict_is_the_nearest_centroid() -> None:
    for dtype in ["uint8", "uint16", "float32", "float64"]:
        rng = np.random.default_rng(0)
        model = tiny_model(cluster_centers=rng.integers(0, 255, (2, 6)).astype(np.float64))
        X = rng.integers(0, 255, (40, 6)).astype(dtype)
        expected = []
        for row in X:
            squared = [
                sum((float(x) - float(c)) ** 2 for x, c in zip(row, center, strict=True))
                for center in model.cluster_centers
            ]
            expected.append(squared.index(min(squared)))
        labels = model.predict(X, n_threads=1)
        assert labels.dtype == np.int32
        assert labels.tolist() == expected


def test_predict_refuses_other_rows() -> None:
    for X, message in [
        (np.zeros((3, 5)), "5 features.*fitted on 6"),
        (np.zeros(6), "1D array"),
        (np.full((1, 6), np.nan), "NaN"),
        (np.zeros((0, 6)), "0 sample"),
    ]:
        with pytest.raises(ValueError, match=message):
            tiny_model().predict(X)


def test_image_format_refuses() -> None:
    for changes, message in [
        ({"height": 0}, "height"),
        ({"height": True}, "height"),
        ({"width": 1.5}, "width"),
        ({"dtype": "int8"}, "dtype"),
        ({"max_value": float("inf")}, "max_value"),
        ({"max_value": -1}, "max_value"),
        ({"fit": "zoom"}, "fit"),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(TINY, **changes)


def test_image_format_takes_numpy_numbers() -> None:
    image = ImageFormat(np.int64(28), np.int32(28), np.uint8(1), "uint8", np.float32(255))
    assert image == ImageFormat(28, 28, 1, "uint8", 255.0)
    assert (image.n_features, image.shape) == (784, (28, 28, 1))
    assert type(image.height) is int


class TestRowsThatAreNoImages:
    @pytest.fixture
    def rows(self) -> np.ndarray[Any, Any]:
        return np.random.default_rng(0).normal(size=(50, 3))

    @pytest.fixture
    def model(self, rows: np.ndarray[Any, Any]) -> Model:
        return Model.from_fit(KMeans(4, random_state=0).fit(rows))

    def test_are_saved_and_loaded(self, tmp_path: Path, rows: np.ndarray[Any, Any], model: Model) -> None:
        save_model(model, tmp_path / "v.kmosaic")
        again = load_model(tmp_path / "v.kmosaic")
        assert_equal_models(model, again)
        assert again.image is None
        np.testing.assert_array_equal(again.predict(rows), model.predict(rows))

    def test_have_no_picture(self, model: Model) -> None:
        with pytest.raises(DataError, match="no picture to draw"):
            _ = model.pictures

    def test_need_rows_of_as_many_features(self, model: Model) -> None:
        with pytest.raises(ValueError, match="2 features.* 3"):
            model.predict(np.zeros((2, 2)))

    def test_are_of_the_newest_schema(self, tmp_path: Path, model: Model) -> None:
        """Which older versions name, instead of calling the file damaged."""
        path = tmp_path / "v.kmosaic"
        save_model(model, path)
        forge(path, {"schema_version": 2})
        with pytest.raises(ModelFileError, match="image format"):
            load_model(path)
        forge(path, {"schema_version": 7})
        with pytest.raises(ModelFileError, match="version 7.* 6"):
            load_model(path)


def test_values_too_large_to_square_are_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 3))
    model = Model.from_fit(KMeans(2, random_state=0).fit(rows))
    for factor in (1e101, 1e200, -1e300):
        with pytest.raises(ValueError, match="1e.100"):
            model.predict(rows * factor)

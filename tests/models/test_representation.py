"""What a model file keeps of a recipe: any names, JSON and arrays, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from kmosaic.cluster import FeatureStep, ImageFormat, KMeans, Model, Representation, load_model, save_model
from kmosaic.errors import DataError, ModelFileError
from kmosaic.features import Recipe, VectorRecipe
from model_files import document_of, forge

STEP = FeatureStep(
    "Anything", {"cells": [2, 3], "deep": {"a": [1.5, None, "x", True]}}, {"mean": np.arange(3.0)}
)


def model(**changes: Any) -> Model:
    images = np.arange(24, dtype=np.uint8).reshape(4, 6)
    fitted = KMeans(2, random_state=0).fit(images[:, :2].astype(np.float32))
    kept: dict[str, Any] = {
        "name": "recipe",
        "steps": (STEP,),
        "mean_images": images[:2].astype(np.float64),
        "medoid_images": images[2:],
    }
    representation = Representation(**{**kept, **changes})
    return Model.from_fit(fitted, ImageFormat(2, 3, 1, "uint8", 255), representation=representation)


def test_it_comes_back_to_the_bit(tmp_path: Path) -> None:
    before = model()
    save_model(before, tmp_path / "m.kmosaic")
    assert document_of(tmp_path / "m.kmosaic")["schema_version"] == 2
    after = load_model(tmp_path / "m.kmosaic").representation
    assert after is not None
    assert before.representation is not None
    assert after.document() == before.representation.document()
    for name, array in before.representation.arrays().items():
        assert after.arrays()[name].dtype == array.dtype
        assert after.arrays()[name].tobytes() == array.tobytes()


def test_models_of_pixels_are_written_as_every_kmosaic_reads_them(tmp_path: Path) -> None:
    save_model(of_pixels(None), tmp_path / "m.kmosaic")
    document = document_of(tmp_path / "m.kmosaic")
    assert document["schema_version"] == 1
    assert "representation" not in document
    assert load_model(tmp_path / "m.kmosaic").representation is None


def of_pixels(value: Any) -> Model:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    fitted = KMeans(2, random_state=0).fit(pixels)
    return Model.from_fit(fitted, ImageFormat(2, 3, 1, "uint8", 255), representation=value)


def test_what_it_may_not_be() -> None:
    for changes, message in [
        ({"name": "a\x1bb"}, "control characters"),
        ({"name": "x" * 201}, "short name"),
        ({"steps": ()}, "1 to 16 steps"),
        ({"mean_images": np.zeros((2, 5))}, "one shape"),
        ({"medoid_images": np.zeros((2, 6), np.int64)}, "medoid_images"),
        ({"medoid_images": np.zeros((2, 6), np.uint16)}, "the medoids uint8"),
        ({"mean_images": np.full((2, 6), np.nan)}, "must be finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            model(**changes)


def test_what_a_step_may_not_be() -> None:
    for kind, parameters, arrays, message in [
        ("../x", {}, {}, "is no name"),
        ("A", {"a b": 1}, {}, "is no name"),
        ("A", {}, {"0.a": np.zeros(1)}, "is no name"),
        ("A", {"a": object()}, {}, "no plain value"),
        ("A", {"a": float("nan")}, {}, "not finite"),
        ("A", {"a": [[[[[1]]]]]}, {}, "too deeply nested"),
        ("A", {"a": "\x00"}, {}, "control characters"),
        ("A", {}, {"a": np.array([np.inf])}, "array a.*finite"),
        ("A", {}, {f"a{i}": np.zeros(1) for i in range(65)}, "65 arrays"),
    ]:
        with pytest.raises(ValueError, match=message):
            FeatureStep(kind, parameters, arrays)


def test_a_forged_representation_is_one_clear_error(tmp_path: Path) -> None:
    for document, arrays in [
        ({"name": "r"}, {}),
        ({"name": 3, "steps": []}, {}),
        ({"name": "r", "steps": []}, {}),
        ({"name": "r", "steps": "x" * 3}, {}),
        ({"name": "r", "steps": [{"kind": "A", "parameters": []}]}, {}),
        ({"name": "r", "steps": [{"kind": 7, "parameters": {}}]}, {}),
        ({"name": "r", "steps": [{"kind": "A", "parameters": {}}] * 17}, {}),
        ([], {}),
        ({"name": "r", "steps": [STEP.__dict__["kind"]]}, {}),
        ("<same>", {"representation.0.mean": None, "representation.1.mean": np.zeros(3)}),
        ("<same>", {"representation.mean_images": None}),
        ("<same>", {"representation.extra": np.zeros(3)}),
        ("<same>", {"representation.0.mean": np.zeros(3, np.complex64)}),
        (None, {}),
    ]:
        path = tmp_path / "m.kmosaic"
        save_model(model(), path, overwrite=True)
        kept = document_of(path)["representation"]
        forge(path, {"representation": kept if document == "<same>" else document}, arrays)
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(path)
        assert safetensors.numpy.load_file(path)


def test_a_file_of_the_first_schema_has_no_representation(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "m.kmosaic")
    forge(tmp_path / "m.kmosaic", {"schema_version": 1})
    with pytest.raises(ModelFileError, match="version 1.*representation"):
        load_model(tmp_path / "m.kmosaic")


def test_errors_are_short_whatever_a_file_holds(tmp_path: Path) -> None:
    for document, arrays in [
        ({}, {"cluster_centers": np.full((2, 2), 1e308)}),
        ({}, {"cluster_centers": np.array([[0.0, 1.0], [-1e300, 0.0]])}),
        ({}, {"representation.mean_images": np.full((2, 6), 1e200)}),
        ({}, {"representation.0.mean": np.full(3, -1e200)}),
        ({"n_iter": "9" * 100_000}, {}),
        ({"parameters": {"a": {"b" * 100_000: 1}}}, {}),
        ({"x" * 100_000: 1}, {}),
        ({"algorithm": "k" * 100_000}, {}),
    ]:
        path = tmp_path / "m.kmosaic"
        save_model(model(), path, overwrite=True)
        forge(path, document, arrays)
        with pytest.raises(ModelFileError, match="damaged") as caught:
            load_model(path)
        assert len(str(caught.value)) < len(str(path)) + 500


def test_pictures_are_the_means() -> None:
    shown = model()
    assert shown.representation is not None
    assert shown.pictures is shown.representation.mean_images
    pixels = of_pixels(None)
    assert pixels.pictures is pixels.cluster_centers
    with pytest.raises(ValueError, match="Representation"):
        replace(pixels, representation="gradients")  # type: ignore[arg-type]


def test_no_damage_does_more_than_raise(tmp_path: Path) -> None:
    path = tmp_path / "m.kmosaic"
    save_model(model(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(whole), size=200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load_model(path)
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            load_model(path)


def test_one_of_vectors_has_no_pictures(tmp_path: Path) -> None:
    """Its file is of a version of its own; as an older one it is refused."""
    X = np.random.default_rng(0).normal(size=(50, 6))
    recipe = Recipe.of_vectors(VectorRecipe(6, unit_length=True, n_whitened=3, power=0.5))
    fitted = KMeans(4, random_state=0).fit(recipe.fit_transform(X))
    model = Model.from_fit(fitted, representation=Representation(recipe.name, recipe.kept()))
    save_model(model, tmp_path / "v.kmosaic")
    loaded = load_model(tmp_path / "v.kmosaic")
    assert loaded.predict(Recipe.of(loaded).transform(X)).tolist() == fitted.labels_.tolist()
    with pytest.raises(DataError, match="no images"):
        _ = loaded.pictures
    forge(tmp_path / "v.kmosaic", {"schema_version": 5})
    with pytest.raises(ModelFileError, match="version 5"):
        load_model(tmp_path / "v.kmosaic")
    with pytest.raises(ValueError, match="both"):
        Representation("vectors", recipe.kept(), np.zeros((4, 6)))
    with pytest.raises(ValueError, match="none"):
        replace(model, image=ImageFormat(1, 6, 1, "uint8", 255))

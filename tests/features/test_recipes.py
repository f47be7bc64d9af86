"""Recipes by name, kept as plain arrays, and nothing taken on trust."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from kmosaic.cluster import FeatureStep, ImageFormat, KMeans, Model, Representation, load_model, save_model
from kmosaic.errors import DataError, ModelFileError
from kmosaic.features import RECIPES, Recipe, RecipeOptions, cluster_pictures
from model_files import document_of, forge

FORM = ImageFormat(8, 8, 1, "uint8", 16)
NAMES = [name for name, entry in RECIPES.items() if entry.argument is None]


@pytest.fixture(scope="module")
def digits() -> NDArray[np.uint8]:
    return load_digits().data[:400].astype(np.uint8)


def fitted_model(digits: NDArray[np.uint8], name: str, *, deskew: bool = False) -> Model:
    recipe = Recipe.named(name, RecipeOptions(FORM.shape, deskew))
    rows = recipe.fit_transform(digits)
    fitted = KMeans(12, random_state=0).fit(rows)
    representation = None
    if recipe.steps:
        shown = cluster_pictures(digits, rows, fitted.labels_, fitted.cluster_centers_)
        representation = Representation(recipe.name, recipe.kept(), shown.means, digits[shown.medoids])
    return Model.from_fit(fitted, FORM, representation=representation)


def test_a_model_file_keeps_the_recipe_to_the_bit(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    for name, deskew in product(NAMES, [False, True]):
        first, second = (tmp_path / f"{name}-{deskew}-{which}.kmosaic" for which in "ab")
        model = fitted_model(digits, name, deskew=deskew)
        save_model(model, first)
        again = load_model(first)
        before, after = Recipe.of(model).transform(digits), Recipe.of(again).transform(digits)
        assert before.tobytes() == after.tobytes()
        assert (model.predict(before) == again.predict(after)).all()
        words = "graph coordinates" if name == "graph" else name
        assert str(Recipe.of(again)) == (f"{words} of deskewed images" if deskew else words)
        assert again.pictures.shape == (12, 64)
        save_model(again, second)
        assert first.read_bytes() == second.read_bytes()


def test_pixels_are_the_rows_themselves(digits: NDArray[np.uint8]) -> None:
    recipe = Recipe.named("pixels", RecipeOptions(FORM.shape))
    assert np.shares_memory(recipe.fit_transform(digits), digits)
    assert not recipe.steps
    assert Recipe.named("pixels", RecipeOptions(FORM.shape, deskew=True)).keeps_pixels
    assert not Recipe.named("gradients", RecipeOptions(FORM.shape)).keeps_pixels


def test_progress_says_what_is_done(digits: NDArray[np.uint8]) -> None:
    seen: list[tuple[int, int, str]] = []
    recipe = Recipe.named("gradients", RecipeOptions(FORM.shape))
    recipe.fit_transform(digits, progress=lambda *told: seen.append(told))
    assert (400, 400, "gradients: gradients") in seen
    assert all(step.callback is None for step in recipe.steps)


def test_progress_of_a_graph_names_its_stages(digits: NDArray[np.uint8]) -> None:
    seen: list[tuple[int, int, str]] = []
    recipe = Recipe.named("graph", RecipeOptions(FORM.shape, n_clusters=4))
    recipe.fit_transform(digits, progress=lambda *told: seen.append(told))
    stages = [
        f"graph: {stage}" for stage in ("gradients", "components", "candidates", "neighbours", "coordinates")
    ]
    assert list(dict.fromkeys(what for _, _, what in seen)) == stages
    for stage in stages:
        assert [told[:2] for told in seen if told[2] == stage][-1] == (400, 400)


def test_as_many_coordinates_as_clusters_need() -> None:
    for n_clusters, n in [(1, 1), (2, 1), (10, 9), (101, 100), (400, 100)]:
        recipe = Recipe.named("graph", RecipeOptions(FORM.shape, n_clusters=n_clusters))
        assert recipe.n_clustered(n_clusters) == n
        assert recipe.steps[-1].get_params()["n_components"] == n
        assert Recipe.named("gradients", RecipeOptions(FORM.shape)).n_clustered(n_clusters) is None


def test_names_that_are_none() -> None:
    for name, message in [
        ("pixel", "'pixel'.*pixels.*gradients"),
        ("gradients:8", "'gradients:8'.*gradients"),
    ]:
        with pytest.raises(DataError, match=message):
            Recipe.named(name, RecipeOptions((8, 8, 1)))


def test_gradients_tell_digits_apart_better_than_pixels() -> None:
    data = load_digits()

    def accuracy(name: str) -> float:
        rows = Recipe.named(name, RecipeOptions((8, 8, 1))).fit_transform(data.data.astype(np.uint8))
        labels = KMeans(36, random_state=0).fit(rows).labels_
        right = [np.bincount(data.target[labels == cluster]).max() for cluster in np.unique(labels)]
        return float(sum(right)) / len(labels)

    assert accuracy("gradients") > accuracy("pixels")


def changed(model: Model, **changes: Any) -> Model:
    assert model.representation is not None
    return replace(model, representation=replace(model.representation, **changes))


def test_a_step_that_is_not_known_asks_for_an_upgrade(digits: NDArray[np.uint8]) -> None:
    model = fitted_model(digits, "gradients")
    with pytest.raises(ModelFileError, match="'Telescope'.*upgrade"):
        Recipe.of(changed(model, steps=(FeatureStep("Telescope", {}, {}),)))


def test_steps_that_do_not_fit_each_other_are_refused(digits: NDArray[np.uint8]) -> None:
    model = fitted_model(digits, "gradients")
    assert model.representation is not None
    first, second = model.representation.steps
    with pytest.raises(ModelFileError, match="Whiten.*784 features.*64"):
        Recipe.of(changed(model, steps=(second,)))
    with pytest.raises(ModelFileError, match="784.*128"):
        Recipe.of(changed(model, steps=(first,)))
    damaged = replace(first, parameters={**first.parameters, "cells": "many"})
    with pytest.raises(ModelFileError, match="OrientedGradients.*damaged"):
        Recipe.of(changed(model, steps=(damaged, second)))
    huge = replace(first, parameters={**first.parameters, "n_orientations": 1 << 40})
    with pytest.raises(ModelFileError, match="n_orientations=1099511627776.*1"):
        Recipe.of(changed(model, steps=(huge, second)))


def test_a_recipe_by_a_false_name_is_refused(digits: NDArray[np.uint8]) -> None:
    model = fitted_model(digits, "gradients")
    with pytest.raises(ModelFileError, match="'telescope'"):
        Recipe.of(changed(model, name="telescope"))
    with pytest.raises(ModelFileError, match="patches"):
        Recipe.of(changed(model, name="patches"))


def test_a_huge_parameter_is_not_echoed_whole(digits: NDArray[np.uint8]) -> None:
    model = fitted_model(digits, "gradients")
    assert model.representation is not None
    first, second = model.representation.steps
    huge = replace(first, parameters={**first.parameters, "n_orientations": [7] * 50_000})
    with pytest.raises(ModelFileError, match="n_orientations=") as caught:
        Recipe.of(changed(model, steps=(huge, second)))
    assert len(str(caught.value)) < 500


def test_pixels_given_where_features_are_needed(digits: NDArray[np.uint8]) -> None:
    model = fitted_model(digits, "gradients")
    with pytest.raises(ValueError, match=r"64 features.*128.*Recipe\.of"):
        model.predict(digits)


def test_forged_arrays_are_errors_of_the_model_file(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    for array, factor, words in [
        ("2.scale", 1e90, "NaN or infinity"),
        ("2.mean", 1e99, "NaN or infinity"),
        ("2.components", 1e90, "components"),
        ("2.variance", -1.0, "negative"),
    ]:
        path = tmp_path / f"{array}.kmosaic"
        save_model(fitted_model(digits, "gradients", deskew=True), path)
        name = f"representation.{array}"
        forge(path, {}, {name: safetensors.numpy.load_file(path)[name] * factor})
        with pytest.raises(ModelFileError, match=words):
            Recipe.of(load_model(path)).transform(digits)


def test_steps_that_take_images_of_another_shape_are_refused(
    digits: NDArray[np.uint8], tmp_path: Path
) -> None:
    for shape in [(4, 16, 1), (1, 64, 1)]:
        path = tmp_path / f"{shape[0]}.kmosaic"
        save_model(fitted_model(digits, "gradients", deskew=True), path)
        parts = document_of(path)["representation"]
        forge(path, {}, {"representation.1.image_shape": np.array(shape)})
        with pytest.raises(ModelFileError, match="image_shape"):
            Recipe.of(load_model(path))
        parts["steps"][1]["parameters"]["image_shape"] = list(shape)
        forge(path, {"representation": parts})
        with pytest.raises(ModelFileError, match="takes images of"):
            Recipe.of(load_model(path))

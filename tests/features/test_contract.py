"""scikit-learn's contract for every transformer, whole: no check is expected to fail."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from estimator_checks import assert_passes_all_checks
from kmosaic.features import (
    Deskew,
    GraphEmbedding,
    LearnedPatches,
    OrientedGradients,
    Pixels,
    SignedPower,
    UnitLength,
    VectorGraph,
    Whiten,
    graph,
)

TRANSFORMERS = [
    Pixels(),
    Deskew(),
    OrientedGradients(),
    Whiten(),
    LearnedPatches(8, patch_size=3, n_patches=500),
    GraphEmbedding(5),
    SignedPower(0.3),
    UnitLength(),
    VectorGraph(5),
]


def images(dtype: str = "uint8", n: int = 300, n_features: int = 64) -> NDArray[Any]:
    values = np.random.default_rng(0).integers(0, 256, (n, n_features))
    return values.astype(dtype) if dtype != "float64" else values / 255 - 0.5


@pytest.mark.parametrize(
    "transformer",
    [
        *TRANSFORMERS,
        OrientedGradients(n_orientations=1, cells=(1, 2), blur=0.7),
        Whiten(1, regularization=0),
        LearnedPatches(3, pools=(1, 3), n_patches=20, stride=2),
    ],
    ids=repr,
)
def test_estimator_checks(transformer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Principal components of many gradients would take nearly all of the time.
    monkeypatch.setattr(graph, "_VIEWS", ((4, (2, 2)), (3, (3, 3))))
    monkeypatch.setattr(graph, "_VIEW_SIZES", (16, 27))
    monkeypatch.setattr(graph, "_VIEW_COMPONENTS", 8)
    assert_passes_all_checks(transformer)


def test_the_number_of_threads_changes_no_bit() -> None:
    for transformer in TRANSFORMERS:
        for dtype in ["uint8", "float32"]:
            X = images(dtype, n=1700 if isinstance(transformer, GraphEmbedding) else 3300)
            one = clone(transformer).set_params(n_threads=1).fit_transform(X)
            three = clone(transformer).set_params(n_threads=3).fit_transform(X)
            assert one.tobytes() == three.tobytes()


def test_state_and_json_restore_it_to_the_bit() -> None:
    for transformer in TRANSFORMERS:
        X = images()
        fitted = clone(transformer).fit(X)
        parameters = json.loads(json.dumps(fitted.parameters()))
        restored = type(fitted).from_state(parameters, fitted.state())
        assert restored.transform(X).tobytes() == fitted.transform(X).tobytes()
        assert restored.parameters() == fitted.parameters()
        assert restored.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()


def test_pickles_and_clones() -> None:
    for transformer in TRANSFORMERS:
        X = images()
        fitted = clone(transformer).fit(X)
        assert (pickle.loads(pickle.dumps(fitted)).transform(X) == fitted.transform(X)).all()
        assert clone(fitted).get_params() == fitted.get_params()


def test_state_that_no_fit_left_is_refused() -> None:
    for transformer in TRANSFORMERS:
        fitted = clone(transformer).fit(images())
        parameters, state = fitted.parameters(), fitted.state()
        for bad in ({}, {**state, "another": np.zeros(1)}, {**state, "image_shape": np.zeros(3, np.int64)}):
            with pytest.raises(ValueError, match="fields|image_shape"):
                type(fitted).from_state(parameters, bad)
        with pytest.raises(ValueError, match="unknown.*'n_threads'"):
            type(fitted).from_state({**parameters, "n_threads": 2}, state)


def test_progress_ends_at_all_rows_and_an_interrupt_ends_it() -> None:
    seen: list[tuple[int, int]] = []

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt(f"at {done} of {total}")

    for transformer in TRANSFORMERS[1:]:  # pixels are not worked on
        fitted = clone(transformer).set_params(callback=lambda *told: seen.append(told))
        fitted.fit_transform(images(n=3300))
        assert seen[-1] == (3300, 3300), transformer
        with pytest.raises(KeyboardInterrupt):
            fitted.set_params(callback=interrupt).transform(images(n=3300))
        assert len(fitted.set_params(callback=None).transform(images())) == 300


def test_values_that_are_no_pixels_are_refused() -> None:
    for transformer in TRANSFORMERS:
        for X, message in [
            (np.array([[0.0, np.nan]]), "NaN"),
            (np.array([[0.0, np.inf]]), "infinity"),
            (np.array([[0.0, 1e200]]), r"1e\+200.*too large"),
        ]:
            with pytest.raises(ValueError, match=message):
                clone(transformer).fit(X)


def test_the_shape_must_go_with_the_rows() -> None:
    for transformer in TRANSFORMERS:
        shaped = clone(transformer).set_params(image_shape=(4, 4, 3))
        with pytest.raises(ValueError, match=r"64 features.*image_shape=\(4, 4, 3\).*48"):
            shaped.fit(images())
        with pytest.raises(ValueError, match=r"image_shape=\(8, 8\)"):
            clone(transformer).set_params(image_shape=(8, 8)).fit(images())


def test_images_of_any_shape() -> None:
    for transformer in TRANSFORMERS:
        for shape in [(1, 1, 1), (1, 1, 3), (1, 9, 1), (9, 1, 3), (5, 7, 3)]:
            X = np.random.default_rng(1).random((40, int(np.prod(shape))))
            out = clone(transformer).set_params(image_shape=shape).fit_transform(X)
            assert len(out) == 40
            assert np.isfinite(out).all()

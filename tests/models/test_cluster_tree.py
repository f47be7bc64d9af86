"""Models of directions and of trees come back as they were, and no forged tree is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic.cluster import BisectingKMeans, SphericalKMeans, TwoLevelKMeans
from kmosaic.errors import DataError, ModelFileError
from kmosaic.models.image_model import ImageFormat, Model, load_model, save_model
from model_files import document_of, forge

OTHERS = [
    SphericalKMeans(9, random_state=0),
    BisectingKMeans(9, random_state=0),
    TwoLevelKMeans(9, random_state=0),
    TwoLevelKMeans(9, random_state=0, refine=2),
]


def test_spherical_models_and_trees_come_back_and_predict(tmp_path: Path) -> None:
    X = load_digits().data.astype(np.uint8)
    for number, estimator in enumerate(OTHERS):
        path = tmp_path / str(number)
        fitted = estimator.fit(X)
        save_model(Model.from_fit(fitted, ImageFormat(8, 8, 1, "uint8", 16)), path)
        loaded = load_model(path)
        assert (loaded.predict(X) == fitted.labels_).all()
        assert (loaded.predict(X.astype(np.float16)) == fitted.labels_).all()
        assert loaded.cluster_centers.tobytes() == fitted.cluster_centers_.tobytes()
        assert document_of(path)["schema_version"] == 5
        assert loaded.inertia == fitted.inertia_
        if loaded.tree is not None:
            for name in ("centers", "parents", "sizes", "inertia", "descends"):
                assert np.array_equal(getattr(loaded.tree, name), getattr(fitted.tree_, name)), name
        else:
            assert loaded.pictures.max(axis=1) == pytest.approx(16)
            with pytest.raises(DataError, match="row 0 .*zeros"):
                loaded.predict(np.zeros((2, 64)))


def changed(values: Any, *changes: tuple[int, Any]) -> Any:
    values = values.copy()
    for place, value in changes:
        values[place] = value
    return values


def test_forged_trees_are_refused(tmp_path: Path) -> None:
    fitted = BisectingKMeans(9, random_state=0).fit(load_digits().data)
    path, tree = tmp_path / "m", fitted.tree_
    save_model(Model.from_fit(fitted), path)
    whole, parents = path.read_bytes(), tree.parents
    inner = tree.centers[np.bincount(parents[1:], minlength=17) > 0]
    forgeries: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        ("a cycle", {}, {"tree.parents": changed(parents, (3, 5), (5, 3))}, "before it"),
        ("its own parent", {}, {"tree.parents": changed(parents, (3, 3))}, "before it"),
        ("a parent beyond", {}, {"tree.parents": changed(parents, (3, 99))}, "before it"),
        ("two roots", {}, {"tree.parents": changed(parents, (3, -1))}, "before it"),
        ("no root", {}, {"tree.parents": changed(parents, (0, 0))}, "root"),
        (
            "siblings apart",
            {},
            {"tree.parents": changed(parents, (1, 0), (2, 1), (3, 0))},
            "consecutive|before",
        ),
        ("an only child", {}, {"tree.parents": changed(parents, (16, 15))}, "go with|one child"),
        ("no nodes", {}, {"tree.parents": parents[:0]}, "root"),
        ("parents of int64", {}, {"tree.parents": parents.astype(np.int64)}, "not one of this schema"),
        ("fewer sizes", {}, {"tree.sizes": tree.sizes[:-1]}, "sizes"),
        ("wrong sizes", {}, {"tree.sizes": changed(tree.sizes, (0, 7))}, "sizes"),
        ("negative sizes", {}, {"tree.sizes": -tree.sizes}, "sizes"),
        ("sizes of others", {}, {"cluster_sizes": np.ones(9, np.int64)}, "sizes"),
        ("inertia NaN", {}, {"tree.inertia": changed(tree.inertia, (0, np.nan))}, "inertia"),
        ("inertia below 0", {}, {"tree.inertia": -tree.inertia}, "inertia"),
        ("centers NaN", {}, {"tree.inner_centers": inner * np.nan}, "centers"),
        ("fewer centers", {}, {"tree.inner_centers": inner[1:]}, "go with"),
        ("narrower centers", {}, {"tree.inner_centers": inner[:, 1:].copy()}, "go with"),
        ("no parents", {}, {"tree.parents": None}, "missing"),
        ("another array", {}, {"tree.payload": inner}, "not one of this schema"),
        ("no document", {"tree": None}, {}, "missing"),
        ("another field", {"tree": {"descends": True, "code": "x"}}, {}, "missing or unknown"),
        ("descends 1", {"tree": {"descends": 1}}, {}, "descends"),
        ("of KMeans", {"algorithm": "KMeans"}, {}, "tree goes with"),
        ("of SphericalKMeans", {"algorithm": "SphericalKMeans"}, {}, "tree goes with"),
        ("of an older schema", {"schema_version": 4}, {}, "version 4"),
    ]
    for name, changes, arrays, message in forgeries:
        path.write_bytes(whole)
        forge(path, changes, arrays)
        with pytest.raises(ModelFileError, match=message) as caught:
            load_model(path)
        assert "checksum" not in str(caught.value), name
    save_model(
        Model.from_fit(SphericalKMeans(3, random_state=0).fit(load_digits().data)), path, overwrite=True
    )
    forge(path, {}, {"cluster_centers": np.ones((3, 64))})
    with pytest.raises(ModelFileError, match="unit length"):
        load_model(path)

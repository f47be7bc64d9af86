"""Fitted centroids in ONNX, FAISS and skops give the labels of ``predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic import KMeans, MiniBatchKMeans, SphericalKMeans, TwoLevelKMeans
from kmosaic.errors import MissingLibraryError, OutputError

X = load_digits().data.astype(np.float32) + 1000  # far from the origin, where squares cancel
ESTIMATORS = [KMeans(12, random_state=0), MiniBatchKMeans(1), SphericalKMeans(5, random_state=0)]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_onnx_models_run_as_predict_and_transform(estimator: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = estimator.fit(X)
    file = tmp_path / "model.onnx"
    made = model.to_onnx(file)
    assert file.read_bytes() == made.SerializeToString()
    with pytest.raises(OutputError):
        model.to_onnx(file)
    outputs = runtime.InferenceSession(file).run(None, {"X": X})
    assert (outputs[0] == model.predict(X)).all()
    if isinstance(model, SphericalKMeans):
        assert len(outputs) == 1
    else:
        assert outputs[1] == pytest.approx(model.transform(X), rel=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_indices_of_faiss_have_the_labels(estimator: Any) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed")
    rows = X - 1000 + 1
    model = estimator.fit(rows)
    assert (model.to_faiss().search(rows, 1)[1][:, 0] == model.predict(rows)).all()


@pytest.mark.parametrize("estimator", [*ESTIMATORS, TwoLevelKMeans(9, random_state=0)], ids=repr)
def test_skops_loads_what_it_stored_and_trusts_all_but_our_classes(estimator: Any) -> None:
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    model = estimator.fit(X)
    stored = skops.dumps(model)
    ours = skops.get_untrusted_types(data=stored)
    assert all(name.startswith("kmosaic.") for name in ours)
    assert (skops.loads(stored, trusted=ours).predict(X) == model.predict(X)).all()


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = KMeans(2).fit(X)
    for name, call in (("onnx", model.to_onnx), ("faiss", model.to_faiss)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingLibraryError, match=rf"kmosaic\[{name}\]"):
            call()


def test_trees_have_no_such_export() -> None:
    """What they predict is no nearest centroid."""
    assert not hasattr(TwoLevelKMeans(2), "to_onnx")

"""Fitted centroids for other programs: ONNX, and FAISS."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from kmosaic.files import atomic_write
from kmosaic.libraries import library

_OPSET, _IR_VERSION = 18, 9
"""Of 2022 and 2023: what runs a model today takes them."""


class NearestCentroidExport:
    """What estimators have whose ``predict`` is the nearest centroid."""

    _exports_distances: ClassVar[bool] = True
    """Whether ``transform`` gives Euclidean distances."""

    def to_onnx(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> Any:
        """Return an ``onnx.ModelProto`` of ``predict`` and ``transform``; write it where a path is given.

        It takes ``X`` (n, n_features) float32 and gives ``label`` (n,) int64 and ``distances``
        (n, n_clusters) float32. It works in float64, which is no exact arithmetic: rows as good as halfway
        between centroids may get the other label.

        Raises MissingLibraryError where the package onnx is not installed, and OutputError where the file
        exists and ``overwrite`` is false, or cannot be written.
        """
        check_is_fitted(self)
        onnx = library("onnx", "onnx", "an ONNX model is made")
        graph = _graph(onnx, self._centers(), with_distances=self._exports_distances)  # type: ignore[attr-defined]
        model = onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="kmosaic",
        )
        onnx.checker.check_model(model)
        if path is not None:
            with atomic_write(path, overwrite=overwrite) as temporary:
                temporary.write_bytes(model.SerializeToString())
        return model

    def to_faiss(self) -> Any:
        """Return the centroids as a ``faiss.IndexFlatL2``: ``index.search(X, 1)[1]`` has the labels.

        FAISS measures in float32: rows as good as halfway between centroids may get the other label.

        Raises MissingLibraryError where the package faiss is not installed.
        """
        check_is_fitted(self)
        faiss = library("faiss", "faiss", "an index for FAISS is made")
        centers = np.ascontiguousarray(self._centers(), np.float32)  # type: ignore[attr-defined]
        index = faiss.IndexFlatL2(centers.shape[1])
        index.add(centers)
        return index


def _graph(onnx: Any, centers: NDArray[np.float64], *, with_distances: bool) -> Any:
    """(x - o) . (x - o) - 2 (x - o) . (c - o) + (c - o) . (c - o), o the mean of the centroids."""
    n_clusters, n_features = centers.shape
    node, info, types = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
    nodes = [
        node("Cast", ["X"], ["wide"], to=types.DOUBLE),
        node("Sub", ["wide", "origin"], ["near"]),
        node("MatMul", ["near", "weights"], ["products"]),
        node("Add", ["products", "squares"], ["scores"]),
        node("ArgMin", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [info("label", types.INT64, ["n"])]
    if with_distances:
        nodes += [
            node("ReduceSumSquare", ["near", "axis"], ["norms"], keepdims=1),
            node("Add", ["scores", "norms"], ["rounded"]),
            node("Max", ["rounded", "zero"], ["squared"]),
            node("Sqrt", ["squared"], ["roots"]),
            node("Cast", ["roots"], ["distances"], to=types.FLOAT),
        ]
        outputs.append(info("distances", types.FLOAT, ["n", n_clusters]))
    inputs = [info("X", types.FLOAT, ["n", n_features])]
    used = {name for each in nodes for name in each.input}
    constants = [
        onnx.numpy_helper.from_array(value, name)
        for name, value in _constants(centers).items()
        if name in used
    ]
    return onnx.helper.make_graph(nodes, "nearest_centroid", inputs, outputs, constants)


def _constants(centers: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    origin = centers.mean(axis=0)
    near = centers - origin
    return {
        "origin": origin[None],
        "weights": np.ascontiguousarray(-2 * near.T),
        "squares": np.square(near).sum(axis=1)[None],
        "axis": np.array([1], np.int64),
        "zero": np.array(0.0),
    }

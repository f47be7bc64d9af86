"""Tensors of other libraries: stand-ins that behave as PyTorch's and CuPy's do."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic import ClusterClassifier, KMeans, MiniBatchKMeans, load_model, save_model
from kmosaic.cluster import Model
from kmosaic.errors import DataError
from kmosaic.evaluate import summarise
from kmosaic.features import Whiten

X = load_digits().data[:60].astype(np.float32)


class Tensor:
    """One that turns into an array, or says what PyTorch says where it cannot."""

    def __init__(self, values: Any, dtype: str = "torch.float32", *, requires_grad: bool = False) -> None:
        self.values, self.dtype, self.requires_grad = values, dtype, requires_grad
        self.shape, self.ndim, self.device = values.shape, values.ndim, "cpu"

    def __len__(self) -> int:
        return len(self.values)

    def detach(self) -> Tensor:
        return Tensor(self.values, self.dtype)

    def __dlpack__(self, **_: Any) -> Any:
        raise BufferError("Can't export tensors that require gradient")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return np.asarray(self.values, dtype)


class Capsule:
    """An array of DLPack alone, on a graphics card."""

    dtype, shape, device = "float32", X.shape, "<CUDA Device 0>"

    def __dlpack__(self, **_: Any) -> Any:
        raise BufferError("unsupported device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


UNREADABLE = {
    "bfloat16": (Tensor(X, "torch.bfloat16"), ["bfloat16", "X.detach().cpu().float().numpy()"]),
    "grad": (Tensor(X, requires_grad=True), ["requires grad", "X.detach().cpu().float().numpy()"]),
    "device": (Capsule(), ["CUDA", "NumPy array"]),
}


def test_fit_says_what_was_given_and_what_to_do() -> None:
    for kind, estimator in product(
        UNREADABLE, [KMeans(3), MiniBatchKMeans(3), ClusterClassifier(KMeans(3)), Whiten(3)]
    ):
        tensor, words = UNREADABLE[kind]
        with pytest.raises(DataError) as caught:
            estimator.fit(tensor, np.arange(60) % 3)
        for word in (type(tensor).__name__, *words):
            assert word in str(caught.value)


def test_what_is_fitted_says_so_too(tmp_path: Any) -> None:
    fitted = KMeans(3, random_state=0).fit(X)
    save_model(Model.from_fit(fitted), tmp_path / "m.kmosaic")
    model = load_model(tmp_path / "m.kmosaic")
    tensor = UNREADABLE["bfloat16"][0]
    for call in (fitted.predict, fitted.transform, fitted.score, model.predict):
        with pytest.raises(DataError, match="bfloat16"):
            call(tensor)
    with pytest.raises(DataError, match="bfloat16"):
        summarise(fitted, tensor)


def test_tensors_that_can_be_read_are() -> None:
    expected = KMeans(3, random_state=0).fit(X)
    assert KMeans(3, random_state=0).fit(Tensor(X)).inertia_ == expected.inertia_


def test_bfloat16_of_numpy_is_read() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes").bfloat16
    rounded = X.astype(bfloat16)
    assert KMeans(3, random_state=0).fit(rounded).inertia_ == pytest.approx(
        KMeans(3, random_state=0).fit(rounded.astype(np.float32)).inertia_
    )

"""Arrays and tensors of other libraries as rows for the engines, or an error on how to convert them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from kmosaic.errors import DataError

NATIVE_DTYPES = [np.float64, np.float32, np.uint8, np.uint16]
"""What engines read in place; float64 first, the dtype that scikit-learn turns any other into."""


def native_rows(X: Any, name: str = "") -> NDArray[Any]:
    """Return X, (n_samples, n_features), finite, of a native dtype and in C order: itself where it is so."""
    rows: NDArray[Any] = check_array(readable(X), dtype=NATIVE_DTYPES, order="C", input_name=name)
    return rows


def halves_as_singles(X: Any) -> Any:
    """Return a float16 array as float32, for rows that are scaled in float32; anything else as it is."""
    if isinstance(X, np.ndarray) and X.dtype == np.float16 and np.float16 not in NATIVE_DTYPES:
        return X.astype(np.float32)
    return X


def readable(X: Any) -> Any:
    """Return X, as a NumPy array where it is a tensor of another library (PyTorch, JAX, CuPy ...).

    Raises DataError when NumPy has no such dtype, or the tensor is on another device or keeps track of
    gradients.
    """
    if isinstance(X, np.ndarray) or not (hasattr(X, "__dlpack__") or hasattr(X, "detach")):
        return X
    try:
        return np.asarray(X) if hasattr(X, "__array__") else np.from_dlpack(X)
    except (TypeError, RuntimeError, BufferError, ValueError) as error:
        raise DataError(_advice(X, error)) from error


def _advice(X: Any, error: Exception) -> str:
    given = f"{type(X).__module__}.{type(X).__qualname__} of dtype {getattr(X, 'dtype', 'unknown')}"
    if getattr(X, "requires_grad", False) is True:
        given += " that requires grad"
    device = getattr(X, "device", None)
    given += f" on {device}" if device is not None else ""
    if hasattr(X, "detach"):
        remedy = "pass X.detach().cpu().float().numpy()"
    else:
        remedy = "bring it to the processor's memory, as a NumPy array of float32 or uint8"
    reason = " ".join(str(error).split())[:200]
    return f"X is a {given}, which NumPy cannot read ({reason}); {remedy}"

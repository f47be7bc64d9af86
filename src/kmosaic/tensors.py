"""Tensors of other libraries as arrays, or an error that says how to convert them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kmosaic.errors import DataError


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

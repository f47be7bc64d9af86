"""Arrays and tensors of other libraries as rows for the engines, or an error on how to convert them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError

PIXEL_DTYPES = [np.float64, np.float32, np.uint16, np.uint8]
"""What pixels are kept in; float64 first, the dtype that scikit-learn turns any other into."""

NATIVE_DTYPES = [*PIXEL_DTYPES, np.int8, np.int16, np.float16]
"""What engines read in place, beside bool, as uint8, and the bfloat16 of ml_dtypes."""

_VALUES_AT_A_TIME = 1 << 20


def native_rows(X: Any, name: str = "") -> NDArray[Any]:
    """Return X, (n_samples, n_features), finite, of a native dtype and in C order: itself where it is so."""
    from sklearn.utils import check_array  # scenes need all else here, and not its 100 MB

    return checked_rows(X, lambda rows, **options: check_array(rows, input_name=name, **options))


def checked_rows(X: Any, check: Callable[..., Any]) -> NDArray[Any]:
    """Return X as engines read it, once ``check``, which is as ``check_array``, has accepted it.

    scikit-learn looks for NaN and infinity in rows of 16 bits by way of arrays of their size; here they are
    looked for part by part.
    """
    X = readable(X)
    dtype = getattr(X, "dtype", None)
    native: list[Any] = [*NATIVE_DTYPES, np.bool_]  # of a table, each of whose columns has its own
    if isinstance(dtype, np.dtype) and dtype != np.bool_ and _is_real(dtype):
        native = [native_dtype(dtype)]
    halves = native[0] == np.float16 or is_bfloat16(native[0])
    rows: NDArray[Any] = check(X, dtype=native, order="C", ensure_all_finite=not halves)
    if halves:
        _check_finite(rows, check)
    return as_native(rows)


def native_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype in which engines read such values.

    That is the same in this machine's byte order where they know it, uint8 for bool, and else float64.

    Raises DataError for values that are no real numbers.

    >>> native_dtype(">f4"), native_dtype(bool), native_dtype("int32")
    (dtype('float32'), dtype('uint8'), dtype('float64'))
    """
    stored = np.dtype(dtype)
    if stored.kind == "c":
        raise DataError(f"Complex data not supported: X has values of {stored}; integers and reals are")
    if not _is_real(stored):
        raise DataError(f"X has values of {stored}; integers and real numbers can be clustered")
    if stored == np.bool_:
        return np.dtype(np.uint8)
    own = stored.newbyteorder("=")
    return own if is_bfloat16(own) or own in NATIVE_DTYPES else np.dtype(np.float64)


def as_native(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows as engines read them: in their native dtype and C order; themselves, or a view, where they
    are so."""
    if rows.dtype == np.bool_:
        rows = rows.view(np.uint8)
    return np.require(rows, native_dtype(rows.dtype), ["C", "A"])


def _is_real(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf" or is_bfloat16(dtype)


def is_bfloat16(dtype: Any) -> bool:
    """Whether this is the bfloat16 of ml_dtypes, which NumPy does not know as a kind of number.

    >>> is_bfloat16(np.dtype(np.float16))
    False
    """
    return isinstance(dtype, np.dtype) and dtype.name == "bfloat16" and dtype.itemsize == 2


def _check_finite(rows: NDArray[Any], check: Callable[..., Any]) -> None:
    """Refuse NaN and infinity in rows of 16 bits, in the words that ``check`` has for float32."""
    n_together = max(1, _VALUES_AT_A_TIME // rows.shape[1])
    exponent = 0x7F80 if is_bfloat16(rows.dtype) else 0x7C00
    for start in range(0, len(rows), n_together):
        part = rows[start : start + n_together]
        if ((part.view(np.uint16) & exponent) == exponent).any():
            check(part.astype(np.float32), dtype=np.float32)


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

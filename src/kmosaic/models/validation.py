"""Checks of untrusted values: the fields of model files."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from kmosaic.tensors import PIXEL_DTYPES, is_bfloat16

DTYPES = tuple(np.dtype(dtype).name for dtype in reversed(PIXEL_DTYPES))
"""The names of what pixels and bands are kept in, the least first."""

_LONGEST_ERROR = 300
# Beyond, squares and sums leave float64's range: as KMeans has it of images.
LARGEST_VALUE = 1e100
# Control characters act on terminals, and lone surrogates have no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable_text(text: str) -> str:
    """Return ``text`` with what cannot be printed as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def in_short(error: object) -> str:
    """Return an error's message as printable text of at most 300 characters: it may quote a whole file."""
    text = printable_text(str(error))
    return text if len(text) <= _LONGEST_ERROR else f"{text[: _LONGEST_ERROR - 4]} ..."


def printable_names(names: Iterable[Any] | None) -> tuple[str, ...] | None:
    """Return names as printable texts; None stays None."""
    return None if names is None else tuple(printable_text(str(name)) for name in names)


def checked_array(name: str, value: Any, dtype: type[np.generic], ndim: int) -> NDArray[Any]:
    """Return ``value`` where it is an array of this dtype and number of dimensions."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != ndim:
        raise ValueError(f"{name} must be a {ndim}-dimensional array of {np.dtype(dtype).name}")
    return value


def within_range(values: NDArray[Any]) -> bool:
    """Whether none is NaN, infinite or too large to square and sum."""
    if not (values.dtype.kind == "f" or is_bfloat16(values.dtype)) or not values.size:
        return True
    with np.errstate(invalid="ignore"):  # of bfloat16; NaN compares as false
        return max(float(values.max()), -float(values.min())) <= LARGEST_VALUE


def first_beyond(values: NDArray[Any]) -> tuple[int, ...]:
    """Return the place of the first value that is not ``within_range``, which one is not."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        # In fewer bits the limit itself would be infinite.
        beyond = ~(np.abs(values.astype(np.float64)) <= LARGEST_VALUE)
    return tuple(int(at) for at in np.unravel_index(beyond.argmax(), beyond.shape))


def check_magnitude(name: str, values: NDArray[Any]) -> None:
    """Refuse finite values whose squares, weighted and summed, could leave float64's range."""
    if not within_range(values):
        largest = max(float(values.max()), -float(values.min()))
        raise ValueError(
            f"{name} has values up to {largest:.3g}, too large to square and sum; divide {name} by them"
        )


def check_values(name: str, values: NDArray[Any]) -> None:
    """Refuse NaN, infinity, and floats too large to square."""
    if not within_range(values):
        raise ValueError(f"{name} must be finite, and no value beyond {LARGEST_VALUE:g}")


def whole_number(name: str, value: SupportsIndex | Any, *, low: int) -> int:
    """Return ``value`` where it is a whole number of at least ``low``."""
    # 2**53 is where JSON readers that know only float64 stop telling whole numbers apart.
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or not low <= operator.index(value) < 1 << 53:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {str(value)[:80]!r}")
    return operator.index(value)


def finite_number(name: str, value: Any, low: float = -math.inf) -> float:
    """Return ``value`` where it is a finite number of at least ``low``."""
    numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    number = float(value) if numeric else math.nan
    if not math.isfinite(number) or number < low:
        raise ValueError(f"{name} must be a finite number of at least {low}, got {str(value)[:80]!r}")
    return number


def check_one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is none of those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}={str(value)[:80]!r} must be one of {', '.join(allowed)}")


def check_text(name: str, value: Any) -> None:
    """Refuse what is no text, or cannot be printed."""
    if not isinstance(value, str) or _UNPRINTABLE.search(value):
        raise ValueError(f"{name} must be text without control characters")


def check_names(name: str, value: Any, length: int) -> None:
    """Refuse what is not ``length`` printable texts."""
    if not isinstance(value, tuple) or len(value) != length:
        raise ValueError(f"{name} must be {length} names")
    for entry in value:
        check_text(name, entry)

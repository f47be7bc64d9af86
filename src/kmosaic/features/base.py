"""What every transformer of images shares: its shape, its state as plain arrays, and work in blocks."""

from __future__ import annotations

import functools
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from kmosaic.engines import resolve_n_threads
from kmosaic.models.validation import check_magnitude
from kmosaic.tensors import PIXEL_DTYPES, checked_rows, readable

ImageShape = tuple[int, int, int]
"""(height, width, channels)."""
Progress = Callable[[int, int], None]
"""Called with the rows done, and how many there are."""

# A block's float32 values and a few copies stay in a processor's own cache: 128 images of 28 x 28 are 400 kB.
_BLOCK_VALUES = 100_352
# Parameters that change no result are no part of a recipe.
_NOT_STATE = ("n_threads", "callback")


class StageProgress:
    """A transformer's callback that names what is being done: ``report(done, total, what)``.

    Transformers that do several things one after the other begin each by its name.
    """

    def __init__(self, report: Callable[[int, int, str], None], what: str = "", prefix: str = "") -> None:
        self._report = report
        self._what = what
        self._prefix = prefix

    def begin(self, what: str) -> None:
        """Give the name of what is done from now on."""
        self._what = what

    def __call__(self, done: int, total: int) -> None:
        """Tell how far it is."""
        self._report(done, total, self._prefix + self._what)


class ImageTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the transformers: rows of height * width * channels pixels in, rows of features out.

    A subclass has ``_fit(rows)``, which sets its fitted arrays, and ``_transform(rows)``, whose rows are
    checked; ``_n_features_out``; and the names of its fitted arrays in ``_ARRAYS``. What it returns does
    not depend on the number of threads.

    Parameters
    ----------
    image_shape : (height, width, channels), optional
        None: a square grey image where the number of features is a perfect square, else one row of pixels.
    n_threads : int or None
        None: all processors. Changes no result.
    callback : callable or None
        Called with the number of rows done and of all rows, in the thread that called.

    Attributes
    ----------
    image_shape_ : (height, width, channels)
        The shape of the images fitted.
    n_features_in_ : int
        height * width * channels.

    Raises
    ------
    ValueError
        For NaN or infinity, values above 1e100, or rows of another length than the shape needs.
    """

    _ARRAYS: ClassVar[tuple[str, ...]] = ()
    _NOT_KEPT: ClassVar[tuple[str, ...]] = ()  # parameters of the fit alone, beside _NOT_STATE
    _KEEPS_DTYPE: ClassVar[bool] = False
    _TAKES_VECTORS: ClassVar[bool] = False  # whatever engines read, in place; others take pixels' dtypes

    image_shape: ImageShape | None
    n_threads: int | None
    callback: Progress | None
    image_shape_: ImageShape
    n_features_in_: int

    def __init__(
        self,
        *,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.n_threads = n_threads
        self.callback = callback

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Learn from the images X, (n_samples, n_features); y is ignored."""
        rows = self._rows(X, reset=True)
        self.image_shape_ = resolved_shape(self.image_shape, rows.shape[1])
        self._fit(rows)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return the features of each image of X: (n_samples, n_features_out)."""
        check_is_fitted(self)
        return self._transform(self._rows(X, reset=False))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what was fitted as arrays: with ``parameters()``, all that ``from_state`` needs."""
        check_is_fitted(self)
        shape = np.array(self.image_shape_, dtype=np.int64)
        return {"image_shape": shape, **{name: getattr(self, f"{name}_") for name in self._ARRAYS}}

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that decide a result, as JSON holds them."""
        given = self.get_params(deep=False)
        left_out = {*_NOT_STATE, *self._NOT_KEPT}
        return {name: _as_json(value) for name, value in given.items() if name not in left_out}

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the fitted transformer that ``parameters()`` and ``state()`` describe; neither is trusted.

        Raises
        ------
        ValueError
            Where a name is missing or unknown, or an array has a wrong dtype or shape or is not finite.
        """
        known = set(cls._get_param_names()) - {*_NOT_STATE, *cls._NOT_KEPT}
        _check_names(cls.__name__, set(parameters), known)
        _check_names(cls.__name__, set(arrays), {"image_shape", *cls._ARRAYS})
        restored = cls(**{name: _from_json(value) for name, value in parameters.items()})
        restored.image_shape_ = _shape_of(arrays["image_shape"])
        restored.n_features_in_ = math.prod(restored.image_shape_)
        if resolved_shape(restored.image_shape, restored.n_features_in_) != restored.image_shape_:
            raise ValueError(f"image_shape={restored.image_shape!r}, but fitted on {restored.image_shape_}")
        for name in cls._ARRAYS:
            setattr(restored, f"{name}_", np.ascontiguousarray(arrays[name]))
        restored._check_parameters()
        restored._check_state()
        return restored

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"] if self._KEEPS_DTYPE else []
        return tags

    @property
    def _n_features_out(self) -> int:
        raise NotImplementedError

    def _fit(self, rows: NDArray[Any]) -> None:  # noqa: ARG002
        self._check_parameters()

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Refuse parameters out of range."""

    def _check_state(self) -> None:
        """Refuse fitted arrays, just restored from a file, that no fit could have left."""

    def _rows(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        rows: NDArray[Any]
        if self._TAKES_VECTORS:
            rows = checked_rows(X, functools.partial(validate_data, self, reset=reset))
        else:
            rows = validate_data(self, readable(X), reset=reset, dtype=PIXEL_DTYPES, order="C")
        if rows.dtype == np.float64:
            check_magnitude("X", rows)
        return rows

    def _begin(self, what: str) -> None:
        if isinstance(self.callback, StageProgress):
            self.callback.begin(what)

    def _report(self, done: int, total: int) -> None:
        if self.callback is not None:
            self.callback(done, total)

    def _in_blocks(
        self, work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[Any], dtype: Any, block: int = 0
    ) -> NDArray[Any]:
        """Apply ``work`` to images (n, height, width, channels), block by block, over threads.

        Where blocks are cut depends on the images' size alone, and inside of them BLAS has one thread; so the
        bits do not depend on how many threads there are.
        """
        out = np.empty((len(rows), self._n_features_out), dtype)

        def of_rows(part: NDArray[Any]) -> NDArray[Any]:
            return work(part.reshape(len(part), *self.image_shape_)).reshape(len(part), -1)

        step = block or max(1, _BLOCK_VALUES // rows.shape[1])
        return fill_blocks(of_rows, rows, out, step, self.n_threads, self.callback)


class OneBlasThread:
    """While anyone is inside, BLAS has one thread, for the whole process; then what it had before.

    Sums then have one order. Counted, since limits of threads that overlap in time would be put back in the
    wrong order, and leave one behind.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limits is not None:
                self._limits.restore_original_limits()


one_blas_thread = OneBlasThread()


def over_threads(
    work: Callable[[int], int], starts: range, n_threads: int | None, finished: Callable[[int], None]
) -> None:
    """Call ``work`` for every start, over threads; ``finished`` with what each returns, in this thread."""
    number = min(resolve_n_threads(n_threads), len(starts))
    with one_blas_thread:
        if number <= 1:
            for start in starts:
                finished(work(start))
            return
        pool = ThreadPoolExecutor(number)
        try:
            for future in as_completed([pool.submit(work, start) for start in starts]):
                finished(future.result())
        finally:  # Ctrl-C waits for the blocks at work, not for those to come
            pool.shutdown(cancel_futures=True)


def in_order(
    work: Callable[[int], NDArray[Any]], starts: range, n_threads: int | None
) -> Iterator[NDArray[Any]]:
    """Yield what ``work`` makes of every start, in order, over threads that are a little ahead."""
    number = min(resolve_n_threads(n_threads), len(starts)) or 1
    waiting: deque[Future[NDArray[Any]]] = deque()
    pool = ThreadPoolExecutor(number)
    with one_blas_thread:
        try:
            for start in starts:
                waiting.append(pool.submit(work, start))
                if len(waiting) > 2 * number:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # as in over_threads
            pool.shutdown(cancel_futures=True)


def fill_blocks(
    work: Callable[[NDArray[Any]], NDArray[Any]],
    rows: NDArray[Any],
    out: NDArray[Any],
    step: int,
    n_threads: int | None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Set ``out`` to what ``work`` makes of ``step`` rows at a time, over threads; return it."""
    done = 0

    def one(start: int) -> int:
        part = rows[start : start + step]
        out[start : start + len(part)] = work(part)
        return len(part)

    def finished(n_rows: int) -> None:
        nonlocal done
        done += n_rows
        if progress is not None:
            progress(done, len(rows))

    over_threads(one, range(0, len(rows), step), n_threads, finished)
    return out


def with_signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row with its entry of largest magnitude positive: eigenvectors come with either sign."""
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return vectors * np.where(signs == 0, 1, signs)[:, None]


def resolved_shape(image_shape: Any, n_features: int) -> ImageShape:
    """Return (height, width, channels) of images of ``n_features`` values.

    Raises ValueError where ``image_shape`` is no such triple, or takes another number of values.

    >>> resolved_shape(None, 784), resolved_shape(None, 10), resolved_shape((2, 2, 3), 12)
    ((28, 28, 1), (1, 10, 1), (2, 2, 3))
    """
    if image_shape is None:
        side = math.isqrt(n_features)
        return (side, side, 1) if side * side == n_features else (1, n_features, 1)
    shape = tuple(image_shape) if isinstance(image_shape, list | tuple) else ()
    if len(shape) != 3 or not all(_is_whole(value) and value >= 1 for value in shape):
        raise ValueError(f"image_shape={image_shape!r} must be (height, width, channels), each at least 1")
    height, width, channels = (int(value) for value in shape)
    if height * width * channels != n_features:
        raise ValueError(
            f"X has {n_features} features, but images of image_shape={height, width, channels} have "
            f"{height * width * channels}; give the shape that the images have"
        )
    return height, width, channels


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse a parameter that is no whole number from ``low`` to ``high``."""
    if not _is_whole(value) or not low <= value <= high:
        raise ValueError(f"{name}={value!r} must be a whole number from {low} to {high}")


def check_real(name: str, value: Any, low: float, high: float) -> None:
    """Refuse a parameter that is no number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
        raise ValueError(f"{name}={value!r} must be a number from {low:g} to {high:g}")


def check_pair(name: str, value: Any, what: str, high: int) -> None:
    """Refuse a parameter that is no pair of whole numbers from 1 to ``high``."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name}={value!r} must be ({what})")
    for number in value:
        check_whole(name, number, 1, high)


def check_flag(name: str, value: Any) -> None:
    """Refuse a parameter that is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} must be True or False")


def check_array(name: str, value: NDArray[Any], dtype: Any, shape: tuple[int, ...]) -> None:
    """Refuse a restored array of another dtype or shape, or that is not finite."""
    if value.dtype != np.dtype(dtype) or value.shape != shape:
        wanted = f"{np.dtype(dtype).name} {shape}"
        raise ValueError(f"{name} is {value.dtype.name} {value.shape}, but must be {wanted}")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name} has NaN or infinity")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _shape_of(array: NDArray[Any]) -> ImageShape:
    if array.dtype != np.int64 or array.shape != (3,) or array.min() < 1 or array.max() > 1 << 40:
        raise ValueError("image_shape must be three whole numbers of at least 1")
    height, width, channels = (int(value) for value in array)
    return height, width, channels


def _check_names(what: str, given: set[str], known: set[str]) -> None:
    if given != known:
        odd = ", ".join(sorted(given ^ known))[:200]
        raise ValueError(f"{what}: fields missing or unknown: {odd!r}")


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return [_as_json(entry) for entry in value] if isinstance(value, tuple | list) else value


def _from_json(value: Any) -> Any:
    return tuple(_from_json(entry) for entry in value) if isinstance(value, list) else value

"""What of scikit-learn is replaced, and how it is put back.

The classes stay scikit-learn's own: what they call to label rows, to seed and to iterate is replaced inside
its modules. So names imported before, pickles, ``isinstance``, parameters, warnings and messages are as they
were.
"""

from __future__ import annotations

import functools
import logging
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from kmosaic.accelerate import fitting, in_place, labelling, seeding
from kmosaic.accelerate.rows import NotTakenError

_log = logging.getLogger("kmosaic.accelerate")
_told: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class _Target:
    """A function of scikit-learn, and ours: called with scikit-learn's own as its first argument."""

    owner: str
    name: str
    ours: Callable[..., Any]
    module: str = ""
    """Where it is defined, if ``owner`` imports it by name."""


_KMEANS = "sklearn.cluster._kmeans"
_BISECTING = "sklearn.cluster._bisect_k_means"
_TARGETS = (
    _Target(_KMEANS, "_kmeans_single_lloyd", fitting.lloyd),
    _Target(_KMEANS, "_kmeans_single_elkan", fitting.elkan),
    _Target(_KMEANS, "_kmeans_plusplus", seeding.kmeans_plusplus),
    _Target(_KMEANS, "_labels_inertia", labelling.labels_inertia),
    _Target(_KMEANS, "_labels_inertia_threadpool_limit", labelling.labels_inertia),
    _Target(_BISECTING, "_kmeans_single_lloyd", fitting.lloyd, _KMEANS),
    _Target(_BISECTING, "_kmeans_single_elkan", fitting.elkan, _KMEANS),
    _Target(_BISECTING, "_labels_inertia_threadpool_limit", labelling.labels_inertia, _KMEANS),
    _Target(f"{_KMEANS}:KMeans", "fit", in_place.fit),
)
_originals: dict[tuple[str, str], Any] = {}


class _Replacement:
    """Ours in the place of a function of scikit-learn, to which it falls back.

    It is pickled by the name of what it replaces, so that estimators that hold it can be loaded where kmosaic
    is not.
    """

    def __init__(self, original: Callable[..., Any], target: _Target) -> None:
        functools.update_wrapper(self, original)
        self._original = original
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self._original, self._target, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return pkgutil.resolve_name, (f"{self._target.module or self._target.owner}:{self._target.name}",)


def _call(original: Callable[..., Any], target: _Target, args: Any, kwargs: Any) -> Any:
    try:
        return target.ours(original, *args, **kwargs)
    except NotTakenError as reason:
        told = target.name, str(reason)
        if told not in _told:
            _told.add(told)
            _log.debug("scikit-learn's own %s does this: %s", *told)
    return original(*args, **kwargs)


def _method(original: Callable[..., Any], target: _Target) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _call(original, target, (self, *args), kwargs)

    return method


def patch_sklearn() -> None:
    """Let scikit-learn's k-means run on kmosaic's engines, in this process, until ``unpatch_sklearn``.

    That is ``KMeans``, ``MiniBatchKMeans``, ``BisectingKMeans``, ``k_means`` and ``kmeans_plusplus`` of
    ``sklearn.cluster``, those imported before and estimators made before included. Parameters, defaults,
    dtypes, warnings and seeds are scikit-learn's; results agree with it to rounding. What is not taken, such
    as negative weights, scikit-learn does itself; the logger ``kmosaic.accelerate`` tells that once, at level
    DEBUG. Calling it again does nothing.

    Warns
    -----
    RuntimeWarning
        Where this scikit-learn has no such functions: then nothing is replaced.

    Examples
    --------
    >>> import kmosaic
    >>> from sklearn.cluster import MiniBatchKMeans
    >>> kmosaic.patch_sklearn()
    >>> MiniBatchKMeans(n_clusters=2, random_state=0).fit([[0.0], [0.0], [8.0]]).inertia_
    0.0
    >>> kmosaic.unpatch_sklearn()
    """
    if _originals:
        return
    found = {target: _found(target) for target in _TARGETS}
    missing = [f"{target.owner}.{target.name}" for target, original in found.items() if original is None]
    if missing:
        warnings.warn(_missing(missing), RuntimeWarning, stacklevel=2)
        return
    for target, original in found.items():
        _originals[target.owner, target.name] = original
        replace = _method if ":" in target.owner else _Replacement
        setattr(_owner(target), target.name, replace(original, target))


def unpatch_sklearn() -> None:
    """Put back what ``patch_sklearn`` replaced. Fitted estimators stay usable."""
    for target in _TARGETS:
        original = _originals.pop((target.owner, target.name), None)
        if original is not None:
            setattr(_owner(target), target.name, original)


def is_patched() -> bool:
    """Whether scikit-learn's k-means runs on kmosaic's engines now."""
    return bool(_originals)


def _owner(target: _Target) -> Any:
    return pkgutil.resolve_name(target.owner)


def _found(target: _Target) -> Any:
    try:
        return getattr(_owner(target), target.name, None)
    except (ImportError, AttributeError):
        return None


def _missing(names: list[str]) -> str:
    version = import_module("sklearn").__version__
    return (
        f"scikit-learn {version} has no {', '.join(names)}: its k-means stays as it is; install a version "
        "that kmosaic knows (1.6 to 1.9), or use kmosaic.KMeans"
    )

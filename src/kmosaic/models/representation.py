"""How a model sees images, where not as pixels: names, JSON and arrays, whatever the transformers are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.models.validation import DTYPES, check_text, check_values, checked_array

ARRAY_PREFIX = "representation."
TENSOR_DTYPES = ("F64", "F32", "I64", "I32", "U8", "I8", "U16")
_MAX_STEPS = 16
_MAX_ARRAYS = 64
_DEEPEST = 4
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, eq=False)
class FeatureStep:
    """One fitted transformer: its class's name, its parameters as JSON holds them, and its fitted arrays."""

    kind: str
    parameters: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def __post_init__(self) -> None:
        for name in (self.kind, *self.parameters, *self.arrays):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"{str(name)[:80]!r} is no name of a step, a parameter or an array")
        _check_json(self.parameters, 0)
        if len(self.arrays) > _MAX_ARRAYS:
            raise ValueError(f"{self.kind} has {len(self.arrays)} arrays; {_MAX_ARRAYS} is the most")
        for name, array in self.arrays.items():
            check_values(f"array {name} of {self.kind}", array)


@dataclass(frozen=True, eq=False)
class Representation:
    """The recipe whose features were clustered, and pictures of the clusters, which features are not.

    Of vectors that were made elsewhere there are no pictures: both are None.

    ``name`` is the recipe's; ``mean_images`` float64 (n_clusters, height * width * channels) the mean of each
    cluster's training images, in raw pixel units; ``medoid_images``, of the images' dtype and the same shape,
    the training image nearest each centroid: the one whose summed squared distance to the cluster's others is
    least.

    Raises
    ------
    ValueError
        When a field has a wrong type, is out of range, or disagrees with another in shape.
    """

    name: str
    steps: tuple[FeatureStep, ...]
    mean_images: NDArray[np.float64] | None = None
    medoid_images: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        check_text("the recipe's name", self.name)
        if len(self.name) > 200 or not 1 <= len(self.steps) <= _MAX_STEPS:
            raise ValueError(f"a recipe has a short name and 1 to {_MAX_STEPS} steps")
        if self.mean_images is None or self.medoid_images is None:
            if self.mean_images is not self.medoid_images:
                raise ValueError("mean_images and medoid_images must both be given, or both be None")
            return
        checked_array("mean_images", self.mean_images, np.float64, ndim=2)
        if self.medoid_images.shape != self.mean_images.shape:
            raise ValueError("mean_images and medoid_images must be of one shape")
        if self.medoid_images.dtype.name not in DTYPES:
            raise ValueError(f"medoid_images must be one of {', '.join(DTYPES)}")
        for pictures in (self.mean_images, self.medoid_images):
            check_values("mean_images and medoid_images", pictures)

    def check_pictures(self, n_clusters: int, image: tuple[int, str] | None) -> None:
        """Raise ValueError unless there is a picture of every cluster; or none, where there are no images.

        ``image`` is how many values one has, and their dtype.
        """
        if (image is None) != (self.mean_images is None):
            raise ValueError("a representation of images has pictures, and one of vectors has none")
        if image is None or self.mean_images is None or self.medoid_images is None:
            return
        shape = n_clusters, image[0]
        if self.mean_images.shape != shape or self.medoid_images.dtype != image[1]:
            raise ValueError(f"the representation's pictures must be {shape}, the medoids {image[1]}")

    def document(self) -> dict[str, Any]:
        """Return what of it is JSON."""
        steps = [{"kind": step.kind, "parameters": step.parameters} for step in self.steps]
        return {"name": self.name, "steps": steps}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return its arrays, under names of their own in a model file."""
        pictures = {"mean_images": self.mean_images, "medoid_images": self.medoid_images}
        named = {name: array for name, array in pictures.items() if array is not None}
        for number, step in enumerate(self.steps):
            named |= {f"{number}.{name}": array for name, array in step.arrays.items()}
        return {ARRAY_PREFIX + name: np.ascontiguousarray(array) for name, array in named.items()}

    @classmethod
    def of(cls, document: Any, arrays: Mapping[str, NDArray[Any]]) -> Representation | None:
        """Return what ``document()`` and ``arrays()`` of a model file describe, trusting nothing.

        Raises
        ------
        ValueError
            When they do not describe one.
        """
        own = {
            name[len(ARRAY_PREFIX) :]: array
            for name, array in arrays.items()
            if name.startswith(ARRAY_PREFIX)
        }
        if document is None:
            if own:
                raise ValueError("arrays of a representation, and no representation")
            return None
        _check_keys(document, {"name", "steps"})
        if not isinstance(document["steps"], list) or len(document["steps"]) > _MAX_STEPS:
            raise ValueError(f"a recipe has at most {_MAX_STEPS} steps")
        steps = tuple(_step(number, entry, own) for number, entry in enumerate(document["steps"]))
        pictures = [own.pop(name, None) for name in ("mean_images", "medoid_images")]
        if own:
            raise ValueError("arrays of the representation are missing or unknown")
        return cls(document["name"], steps, pictures[0], pictures[1])


def _step(number: int, entry: Any, own: dict[str, NDArray[Any]]) -> FeatureStep:
    """The step of this number, whose arrays are taken out of ``own``."""
    _check_keys(entry, {"kind", "parameters"})
    if not isinstance(entry["parameters"], dict):
        raise ValueError("a step's parameters must be names and values")
    prefix = f"{number}."
    names = [name for name in own if name.startswith(prefix)]
    return FeatureStep(
        entry["kind"], entry["parameters"], {name[len(prefix) :]: own.pop(name) for name in sorted(names)}
    )


def _check_keys(entry: Any, keys: set[str]) -> None:
    if not isinstance(entry, dict) or set(entry) != keys:
        raise ValueError(f"a representation's parts need just {', '.join(sorted(keys))}")


def _check_json(value: Any, depth: int) -> None:
    """Refuse what is not plain: texts, numbers, true, false, null, and lists and dicts of these."""
    if isinstance(value, str):
        check_text("a parameter", value)
    elif isinstance(value, dict | list | tuple) and depth < _DEEPEST:
        for entry in value.values() if isinstance(value, dict) else value:
            _check_json(entry, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a parameter is not finite")
    elif value is not None and not isinstance(value, bool | int | float):
        raise ValueError("a parameter is no plain value, or too deeply nested")

"""Estimators and their files: scikit-learn's contract over kmosaic's engines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmosaic.cluster.kmeans import KMeans
    from kmosaic.cluster.minibatch import MiniBatchKMeans
    from kmosaic.cluster.spherical import SphericalKMeans
    from kmosaic.models.image_model import ImageFormat, Model, load_model, save_model
    from kmosaic.models.representation import FeatureStep, Representation

# Imported when first asked for: scenes need seeds and fields, and no scikit-learn, which takes a second and
# 80 MB.
_HOMES = {
    "FeatureStep": "kmosaic.models.representation",
    "ImageFormat": "kmosaic.models.image_model",
    "KMeans": "kmosaic.cluster.kmeans",
    "MiniBatchKMeans": "kmosaic.cluster.minibatch",
    "Model": "kmosaic.models.image_model",
    "Representation": "kmosaic.models.representation",
    "SphericalKMeans": "kmosaic.cluster.spherical",
    "load_model": "kmosaic.models.image_model",
    "save_model": "kmosaic.models.image_model",
}

__all__ = [
    "FeatureStep",
    "ImageFormat",
    "KMeans",
    "MiniBatchKMeans",
    "Model",
    "Representation",
    "SphericalKMeans",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kmosaic.cluster' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

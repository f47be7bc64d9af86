"""Estimators and their files: scikit-learn's contract over kmosaic's engines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmosaic.cluster.bisecting import BisectingKMeans
    from kmosaic.cluster.kmeans import KMeans
    from kmosaic.cluster.minibatch import MiniBatchKMeans
    from kmosaic.cluster.spherical import SphericalKMeans
    from kmosaic.cluster.two_level import TwoLevelKMeans
    from kmosaic.models.cluster_tree import ClusterTree
    from kmosaic.models.image_model import ImageFormat, Model, load_model, save_model
    from kmosaic.models.representation import FeatureStep, Representation

# Imported when first asked for: scenes need seeds and fields, and no scikit-learn, which takes a second and
# 80 MB.
_HOMES = {
    "BisectingKMeans": "kmosaic.cluster.bisecting",
    "ClusterTree": "kmosaic.models.cluster_tree",
    "FeatureStep": "kmosaic.models.representation",
    "ImageFormat": "kmosaic.models.image_model",
    "KMeans": "kmosaic.cluster.kmeans",
    "MiniBatchKMeans": "kmosaic.cluster.minibatch",
    "Model": "kmosaic.models.image_model",
    "Representation": "kmosaic.models.representation",
    "SphericalKMeans": "kmosaic.cluster.spherical",
    "TwoLevelKMeans": "kmosaic.cluster.two_level",
    "load_model": "kmosaic.models.image_model",
    "save_model": "kmosaic.models.image_model",
}

__all__ = [
    "BisectingKMeans",
    "ClusterTree",
    "FeatureStep",
    "ImageFormat",
    "KMeans",
    "MiniBatchKMeans",
    "Model",
    "Representation",
    "SphericalKMeans",
    "TwoLevelKMeans",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kmosaic.cluster' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

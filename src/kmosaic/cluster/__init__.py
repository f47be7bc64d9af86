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
_NAMES = {
    "cluster.bisecting": "BisectingKMeans",
    "cluster.kmeans": "KMeans",
    "cluster.minibatch": "MiniBatchKMeans",
    "cluster.spherical": "SphericalKMeans",
    "cluster.two_level": "TwoLevelKMeans",
    "models.cluster_tree": "ClusterTree",
    "models.image_model": "ImageFormat Model load_model save_model",
    "models.representation": "FeatureStep Representation",
}
_HOMES = {name: f"kmosaic.{home}" for home, names in _NAMES.items() for name in names.split()}

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

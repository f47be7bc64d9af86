"""Estimators and their files: scikit-learn's contract over kmosaic's engines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmosaic.cluster.kmeans import KMeans
    from kmosaic.cluster.minibatch import MiniBatchKMeans
    from kmosaic.cluster.model_file import ImageFormat, Model, load_model, save_model
    from kmosaic.cluster.representation import FeatureStep, Representation

# Imported when first asked for: scenes need seeds and fields, and no scikit-learn, which takes a second and
# 80 MB.
_HOMES = {
    "FeatureStep": "representation",
    "ImageFormat": "model_file",
    "KMeans": "kmeans",
    "MiniBatchKMeans": "minibatch",
    "Model": "model_file",
    "Representation": "representation",
    "load_model": "model_file",
    "save_model": "model_file",
}

__all__ = [
    "FeatureStep",
    "ImageFormat",
    "KMeans",
    "MiniBatchKMeans",
    "Model",
    "Representation",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kmosaic.cluster' has no attribute {name!r}")
    return getattr(import_module(f"kmosaic.cluster.{_HOMES[name]}"), name)

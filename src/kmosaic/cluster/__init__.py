"""Estimators and their files: scikit-learn's contract over kmosaic's engines."""

from kmosaic.cluster.kmeans import KMeans
from kmosaic.cluster.minibatch import MiniBatchKMeans
from kmosaic.cluster.model_file import ImageFormat, Model, load_model, save_model
from kmosaic.cluster.representation import FeatureStep, Representation

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

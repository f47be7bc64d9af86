"""Estimators and their files: scikit-learn's contract over kmosaic's engines."""

from kmosaic.cluster.kmeans import KMeans
from kmosaic.cluster.minibatch import MiniBatchKMeans
from kmosaic.cluster.model_file import ImageFormat, Model, load_model, save_model

__all__ = ["ImageFormat", "KMeans", "MiniBatchKMeans", "Model", "load_model", "save_model"]

"""Vectors from elsewhere, such as embeddings of a network, and the pictures they are of."""

from __future__ import annotations

from kmosaic.vectors.load import PICTURES_IN_ORDER, VectorOptions, load_vectors
from kmosaic.vectors.saving import check_vectors_name, save_vectors

__all__ = ["PICTURES_IN_ORDER", "VectorOptions", "check_vectors_name", "load_vectors", "save_vectors"]

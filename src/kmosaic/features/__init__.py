"""Representations of images: scikit-learn transformers from rows of pixels to rows of features."""

from kmosaic.features.base import ImageTransformer, StageProgress
from kmosaic.features.deskew import Deskew
from kmosaic.features.distortion import DistortionDistance
from kmosaic.features.gradients import OrientedGradients
from kmosaic.features.graph import GraphEmbedding
from kmosaic.features.nearest import NearestRows, NeighborIndex
from kmosaic.features.onnx import OnnxEmbedding
from kmosaic.features.patches import LearnedPatches
from kmosaic.features.pictures import ClusterPictures, cluster_pictures
from kmosaic.features.pixels import Pixels
from kmosaic.features.recipes import RECIPES, Recipe, RecipeOptions, VectorRecipe
from kmosaic.features.signed_power import SignedPower
from kmosaic.features.unit_length import UnitLength
from kmosaic.features.vector_graph import VectorGraph
from kmosaic.features.whiten import Whiten

__all__ = [
    "RECIPES",
    "ClusterPictures",
    "Deskew",
    "DistortionDistance",
    "GraphEmbedding",
    "ImageTransformer",
    "LearnedPatches",
    "NearestRows",
    "NeighborIndex",
    "OnnxEmbedding",
    "OrientedGradients",
    "Pixels",
    "Recipe",
    "RecipeOptions",
    "SignedPower",
    "StageProgress",
    "UnitLength",
    "VectorGraph",
    "VectorRecipe",
    "Whiten",
    "cluster_pictures",
]

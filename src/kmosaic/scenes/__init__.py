"""Scenes: unsupervised land cover from satellite rasters, larger than memory."""

from kmosaic.scenes.arrays import as_scene
from kmosaic.scenes.reading import ReadOptions
from kmosaic.scenes.scene_model import SceneModel, load_scene_model, save_scene_model
from kmosaic.scenes.segment import Segmentation, SegmentOptions, segment

__all__ = [
    "ReadOptions",
    "SceneModel",
    "SegmentOptions",
    "Segmentation",
    "as_scene",
    "load_scene_model",
    "save_scene_model",
    "segment",
]

"""Scenes: unsupervised land cover from satellite rasters, larger than memory."""

from kmosaic.scenes.fit.isodata import IsodataOptions
from kmosaic.scenes.fit.scene_model import SceneModel, load_scene_model, save_scene_model
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.read_options import ReadOptions
from kmosaic.scenes.segment import Segmentation, SegmentOptions, segment

__all__ = [
    "IsodataOptions",
    "ReadOptions",
    "SceneModel",
    "SegmentOptions",
    "Segmentation",
    "as_scene",
    "load_scene_model",
    "save_scene_model",
    "segment",
]

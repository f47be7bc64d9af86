"""Real inputs turned into rows of pixels: data sets, folders of image files, IDX, .npy and .npz."""

from __future__ import annotations

from kmosaic.images.collection import (
    Converted,
    Dataset,
    ImageCollection,
    Progress,
    ReadOptions,
    SkippedFile,
    VectorCollection,
)
from kmosaic.images.datasets import load_dataset, load_images
from kmosaic.images.fetch import download
from kmosaic.images.idx import read_idx
from kmosaic.images.registry import DatasetCard, catalogue
from kmosaic.images.split import SplitRows, stratified_split

__all__ = [
    "Converted",
    "Dataset",
    "DatasetCard",
    "ImageCollection",
    "Progress",
    "ReadOptions",
    "SkippedFile",
    "SplitRows",
    "VectorCollection",
    "catalogue",
    "download",
    "load_dataset",
    "load_images",
    "read_idx",
    "stratified_split",
]

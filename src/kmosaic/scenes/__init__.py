"""Scenes: unsupervised land cover from satellite rasters, larger than memory."""

"""The earlier name of ``kmosaic.features.drawings``; photos that show the same are ``kmosaic.duplicates``."""

from kmosaic.features.drawings import DuplicateGroup, duplicate_groups, nearest_distances

__all__ = ["DuplicateGroup", "duplicate_groups", "nearest_distances"]

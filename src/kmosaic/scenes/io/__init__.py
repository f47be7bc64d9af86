"""Scenes from files and arrays: reading, masks, grids, and writing GeoTIFFs."""

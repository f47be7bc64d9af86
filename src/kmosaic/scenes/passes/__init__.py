"""Passes over a scene, strip by strip, within a cap on memory, here or on a Dask cluster."""

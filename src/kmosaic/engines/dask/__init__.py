"""Blocks of rows on a Dask cluster's workers."""

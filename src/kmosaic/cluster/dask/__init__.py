"""Estimators on rows that lie in Dask arrays."""

"""Statistics of bands and classes: moments, percentiles, sizes, areas, separability."""

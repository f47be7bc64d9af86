"""Models in files: what was fitted, to what kind of input, in a container that cannot run code."""

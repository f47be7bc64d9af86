"""Classes drawn over a scene: labels, smoothing, colours, names and the files they go into."""

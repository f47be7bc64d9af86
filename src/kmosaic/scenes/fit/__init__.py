"""Classes fitted to a scene: Lloyd's algorithm, ISODATA, and the model they make."""

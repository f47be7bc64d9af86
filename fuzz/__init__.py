"""Searches for inputs that break kmosaic: `make fuzz`, or `python -m fuzz --help`. No part of the package."""

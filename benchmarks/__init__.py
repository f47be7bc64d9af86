"""kmosaic's time, memory and inertia beside other libraries' (``python -m benchmarks``, ``make bench``)."""

"""Wheels for every system, built and checked on one Linux machine."""

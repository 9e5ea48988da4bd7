"""Holdfast: takes one number, sizes every limit on the way, and proves that it held."""

__version__ = "0.1.0"

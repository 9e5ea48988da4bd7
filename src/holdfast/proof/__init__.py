"""Joins three witnesses of what is in flight, judges, and writes the result."""

"""Draws one result as one HTML file that needs nothing else. Judges nothing, measures nothing."""

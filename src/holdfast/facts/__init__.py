"""Dated data with sources: what programs take, measured; and the look-up that reads it."""

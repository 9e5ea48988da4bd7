"""Tests of the room that judges: each witness alone, and runs that contradict one another."""

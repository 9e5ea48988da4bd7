"""Runs an app at its size: starts, watches and stops the workers. Knows no formula of a limit."""

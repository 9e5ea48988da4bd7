"""Reads this machine: its files under /proc, /sys and cgroups. Must not know what is wanted."""

"""(demand, host, layout) -> a path whose every value is derived, or `Impossible`. No I/O."""

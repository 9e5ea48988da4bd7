"""Laws: a path in, findings out. One law a file, each with a stable code; no I/O."""

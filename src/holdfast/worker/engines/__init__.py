"""One file an engine: each serves the app on the inherited socket, without a master of its own."""

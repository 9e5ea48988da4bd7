"""What runs inside each app process: the engine's start, the count in flight, the drain flag."""

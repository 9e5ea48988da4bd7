"""What each program's settings mean: rows, and the limits that their values make. No I/O."""

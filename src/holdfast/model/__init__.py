"""What a demand, value, hop, link, limit, path is, and the arithmetic. Knows no program."""

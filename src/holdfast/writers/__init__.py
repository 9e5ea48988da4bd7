"""Records in, {file name: text} out, each line explained by its formula. Touches no disk."""

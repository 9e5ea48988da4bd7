"""The commands, one file each: the only room that prints. Nobody imports it."""

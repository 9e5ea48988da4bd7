"""Keeps clients occupied on an HTTP/1.1 server of this machine, and proves that it kept up."""

"""Loops over stored weights, compiled when they are first called."""

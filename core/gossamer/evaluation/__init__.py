"""Measure models against known alpha, show the result, and look at what this machine offers."""

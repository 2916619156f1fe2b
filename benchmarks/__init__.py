"""Measurements beside other programs, in the same run and on the same machine."""

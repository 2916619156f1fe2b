"""Measurements: ratios against peers in the same run, and memory under load."""

"""Comparisons with other people's code, side by side on the same machine and the same faces."""

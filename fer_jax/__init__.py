"""Facial-expression recognition that stays right when the picture is bad."""

__version__ = "0.1.0"

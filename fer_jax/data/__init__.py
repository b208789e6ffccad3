"""Faces on disk become arrays: sources, preparation, protocols, splits."""

from fer_jax.data.faces import EMOTIONS, pixel_keys
from fer_jax.data.splits import Split, class_names, load_splits, split_notes

__all__ = ["EMOTIONS", "Split", "class_names", "load_splits", "pixel_keys", "split_notes"]

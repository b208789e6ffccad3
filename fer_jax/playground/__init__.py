"""A local page on which a person spoils a face and sees what each network then says."""

from fer_jax.playground.command import main

__all__ = ["main"]

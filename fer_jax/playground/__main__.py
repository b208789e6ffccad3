"""Serve the playground: `python -m fer_jax.playground [MODEL...]`."""

from fer_jax.playground.command import main

if __name__ == "__main__":
    raise SystemExit(main())

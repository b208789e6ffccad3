"""Name the commands, those of the data among them: `python -m fer_jax.data`."""

from fer_jax.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())

"""Commands whose library is slow to import: their flags are read first, the rest when it is used.

`python -m fer_jax.evaluate --help` runs the first lines of fer_jax/evaluate.py, which come here.
"""

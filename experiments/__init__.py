"""Studies over fer_jax, and the tables made from results that were run; never imported by it."""

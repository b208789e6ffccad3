"""Facial-expression recognition that stays right when the picture is bad."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Recognizer"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for, so that `import fer_jax` brings no JAX along.
    if name in __all__:
        from fer_jax import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

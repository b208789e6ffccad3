"""Checks of one value, made by what it may be: a number in a range, a name, a tuple of such."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from fer_jax.errors import suggest

# A check takes a value and gives the complaint that follows the field's name, or "".
Check = Callable[[Any], str]


def number(
    least: float, most: float = math.inf, *, above: bool = False, below: bool = False
) -> Check:
    """Make the check of a finite number; `above` and `below` leave out the end itself."""
    return _in_range((int, float), "a finite number", least, most, above, below)


def whole(least: int, most: float = math.inf) -> Check:
    """Make the check of a whole number."""
    return _in_range((int,), "a whole number", least, most, False, False)


def one_of(known: Iterable[str]) -> Check:
    """Make the check of a name; what is put into a table of names later is known too."""
    known = known if isinstance(known, Mapping) else tuple(known)

    def check(value):
        fits = isinstance(value, str) and value in known
        return "" if fits else f" is {value!r}. {suggest(value, known)}"

    return check


def each(
    member: Check, *, lengths: Iterable[int] = (), least: int = 0, rising: bool = False
) -> Check:
    """Make the check of a tuple of such members.

    It has one of the `lengths`, if there are any, and at least `least` members; with `rising` none
    is below the one before.
    """
    lengths = tuple(lengths)
    wanted = " or ".join(map(str, lengths)) if lengths else f"at least {least}"

    def check(value):
        if not isinstance(value, (tuple, list)):
            return f" is {value!r}; expected a tuple"
        if (lengths and len(value) not in lengths) or len(value) < least:
            return f" is {value!r}, a tuple of {len(value)}; expected {wanted}"
        for i, item in enumerate(value):
            if complaint := member(item):
                return f"[{i}]{complaint}"
        if rising and list(value) != sorted(value):
            return f" is {value!r}; expected the lowest first"
        return ""

    return check


def record(*members: Check) -> Check:
    """Make the check of a tuple in which each place has a check of its own."""
    complete = each(lambda value: "", lengths=(len(members),))

    def check(value):
        if complaint := complete(value):
            return complaint
        for i, (member, item) in enumerate(zip(members, value, strict=True)):
            if complaint := member(item):
                return f"[{i}]{complaint}"
        return ""

    return check


def mapping(member: Check) -> Check:
    """Make the check of a table from any names to such members."""

    def check(value):
        if not isinstance(value, ConfigDict):
            return f" is {value!r}; expected a table, as in {{name: value}}"
        for name in value:
            if complaint := member(value[name]):
                return f".{name}{complaint}"
        return ""

    return check


def like(default: Any) -> Check:
    """Make the check of what may stand where `default` does: its type, and nothing negative."""
    if isinstance(default, bool):
        return flag
    if isinstance(default, str):
        return text
    if not isinstance(default, tuple):
        return whole(0) if isinstance(default, int) else number(0)
    if default and isinstance(default[0], tuple):
        return each(record(*map(like, default[0])), least=1)
    return each(like(default[0])) if default else each(lambda value: "")


def flag(value: Any) -> str:
    """Check true or false."""
    return "" if isinstance(value, bool) else f" is {value!r}; expected True or False"


def text(value: Any) -> str:
    """Check a text."""
    return "" if isinstance(value, str) else f" is {value!r}; expected a text"


def pattern(value: Any) -> str:
    """Check a regular expression."""
    try:
        re.compile(value)
    except (re.error, TypeError) as error:
        return f" is {value!r}, which is no regular expression: {error}"
    return ""


def _in_range(kinds, kind, least, most, above, below) -> Check:
    low = f"{'above' if above else 'at least'} {least:g}"
    high = f" and {'below' if below else 'at most'} {most:.10g}" if most < math.inf else ""
    expected = f"{kind}, {low}{high}"

    def check(value):
        fits = (
            isinstance(value, kinds)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (least < value if above else least <= value)
            and (value < most if below else value <= most)
        )
        return "" if fits else f" is {value!r}; expected {expected}"

    return check

"""Sum up accuracies under corruptions: mCE, relative mCE, means (Hendrycks & Dietterich 2019)."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

Cells = Mapping[str, list[float]]  # accuracy 0..1 at each severity, by corruption


def corruption_errors(
    clean: float, cells: Cells, *, reference_clean: float, reference_cells: Cells
) -> dict[str, Any]:
    """Compare errors E = 1 - accuracy, summed over the severities s, with a reference's.

    `ce[c]` is sum_s E[s, c] / sum_s E_ref[s, c], their equation for CE; `relative_ce[c]` is
    sum_s (E[s, c] - E_clean) / sum_s (E_ref[s, c] - E_ref_clean). `mce` and `relative_mce` are the
    means over the corruptions; 1 is as the reference. Where the reference makes no error, or loses
    nothing against clean faces, the ratio says nothing and is None: `undefined` and
    `relative_undefined` name those corruptions, and the means leave them out.
    """
    ce, relative = {}, {}
    for name, accuracies in cells.items():
        pairs = list(zip(accuracies, reference_cells[name], strict=True))
        ce[name] = _ratio(sum(1 - a for a, _ in pairs), sum(1 - r for _, r in pairs))
        lost = sum(clean - a for a, _ in pairs)
        relative[name] = _ratio(lost, sum(reference_clean - r for _, r in pairs))
    return {
        "ce": ce, "mce": mean_of(ce, ce), "undefined": _undefined(ce),
        "relative_ce": relative, "relative_mce": mean_of(relative, relative),
        "relative_undefined": _undefined(relative),
    }


def mean_of(values: Mapping[str, float | None], names: Iterable[str]) -> float | None:
    """Average the values of these names that are defined; None if none is."""
    defined = [values[name] for name in names if values[name] is not None]
    return fmean(defined) if defined else None


def mean_accuracies(cells: Cells) -> dict[str, float]:
    """Average each corruption's accuracy over the severities."""
    return {name: fmean(accuracies) for name, accuracies in cells.items()}


def _ratio(part: float, whole: float) -> float | None:
    # Sums of accuracies that ought to be equal may differ by rounding.
    return part / whole if whole > 1e-9 else None


def _undefined(values: Mapping[str, float | None]) -> list[str]:
    return [name for name, value in values.items() if value is None]

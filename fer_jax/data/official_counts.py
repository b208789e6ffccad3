"""How many faces of each emotion a published split holds: what a confusion's rows must sum to."""

from fer_jax.data.protocols import DICK_COUNTS

# FER2013 by usage, in the order of EMOTIONS: angry disgust fear happy sad surprise neutral.
TRAINING = (3995, 436, 4097, 7215, 4830, 3171, 4965)
PUBLIC = (467, 56, 496, 895, 653, 415, 607)
PRIVATE = (491, 55, 528, 879, 594, 416, 626)
# PrivateTest without images that stand in Training, and without those in PublicTest too.
PRIVATE_CLEAN = (454, 39, 481, 851, 577, 298, 601)
PRIVATE_STRICT = (452, 38, 480, 846, 575, 288, 596)
RAF_DB_TEST = (162, 160, 74, 1185, 478, 329, 680)

_TESTS = {"official": PRIVATE, "official-clean": PRIVATE_CLEAN, "official-strict": PRIVATE_STRICT}


def known_counts(dataset: str, *, protocol: str, split: str) -> tuple[int, ...] | None:
    """Return the faces of each emotion in a split of FER2013 or RAF-DB, None where unknown.

    Unknown are `ferplus`, whose labels are votes, splits that a seeded draw makes of RAF-DB, and
    every other dataset.
    """
    name = protocol.partition(":")[0]
    if dataset == "raf_db" and name == "holdout":
        return RAF_DB_TEST if split == "test" else None
    if dataset != "fer2013":
        return None
    halves = {
        "public": PUBLIC, "private": PRIVATE, "private_clean": PRIVATE_CLEAN,
        "private_strict": PRIVATE_STRICT,
    }
    if name in _TESTS:
        known = {"train": TRAINING, "validation": PUBLIC, "test": _TESTS[name], **halves}
    elif name == "keras80":
        held = tuple(int(0.2 * n) for n in TRAINING)
        known = {
            "train": _minus(TRAINING, held), "validation": held, "test": _plus(PUBLIC, PRIVATE),
            **halves,
        }
    elif name == "dick":
        ends = [sum(DICK_COUNTS[: i + 1]) for i in range(len(DICK_COUNTS))]
        test = tuple(
            end // 2 - (end - n) // 2 for end, n in zip(ends, DICK_COUNTS, strict=True)
        )
        known = {
            "train": _minus(_plus(TRAINING, _plus(PUBLIC, PRIVATE)), DICK_COUNTS),
            "validation": _minus(DICK_COUNTS, test), "test": test,
        }
    else:
        known = {}
    return known.get(split)


def _plus(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _minus(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x - y for x, y in zip(a, b, strict=True))

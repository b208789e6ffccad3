"""What the papers' numbers are by arithmetic: counts, fractions of a test set, contradictions."""

import math
from collections.abc import Callable
from typing import NamedTuple

from fer_jax.data.faces import EMOTIONS
from fer_jax.data.official_counts import PRIVATE, PUBLIC, known_counts
from fer_jax.data.protocols import DICK_COUNTS

HAPPY = EMOTIONS.index("happy")
# Li's test: both official test halves.
LI_TEST = tuple(a + b for a, b in zip(PUBLIC, PRIVATE, strict=True))
LI_VALIDATION = known_counts("fer2013", protocol="keras80", split="validation")
LI_TRAIN = known_counts("fer2013", protocol="keras80", split="train")
RAF_DB_TEST, SFEW_VALIDATION = 3068, 436
# Dick 2024, Figure 7: the share of each class that ResNet names right, in percent.
DICK_RECALLS = {
    "angry": 58.33, "disgust": 34.23, "fear": 39.39, "happy": 79.23, "sad": 64.00,
    "surprise": 80.43, "neutral": 57.65,
}


class Fraction(NamedTuple):
    """A share `hits` of `n`."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """Return the fraction as a float."""
        return self.hits / self.n


def fraction_of(value: float, n: int, *, decimals: int) -> Fraction | None:
    """Find the whole number k for which k/n, rounded to `decimals`, is a share; None if none is.

    `value` is a share of 0..1; so is what is rounded.
    """
    k = round(value * n)
    same = [k + d for d in (0, -1, 1) if round((k + d) / n, decimals) == round(value, decimals)]
    return Fraction(same[0], n) if same else None


def entropy(counts: tuple[int, ...], prior: tuple[int, ...] | None = None) -> float:
    """Compute, in nats, the loss on `counts` of a model that says `prior`, by default `counts`."""
    prior = counts if prior is None else prior
    pairs = zip(counts, prior, strict=True)
    return -sum(c / sum(counts) * math.log(p / sum(prior)) for c, p in pairs)


def always(counts: tuple[int, ...]) -> dict[str, float]:
    """Score a model that gives every face the most frequent class: accuracy and two F1 scores."""
    share = max(counts) / sum(counts)
    f1 = 2 * share / (1 + share)  # precision is the share, recall is 1
    return {"accuracy": share, "macro_f1": f1 / len(counts), "weighted_f1": f1 * share}


def least_macro_f1(accuracy: float, counts: tuple[int, ...]) -> float:
    """Bound the macro-F1 of any model from below by its accuracy.

    F1 of a class is 2 h / (n + p): hits, faces and predictions of it. At most the model's errors,
    (1 - accuracy) N, and the class's own n are predicted so, hence n + p <= 2 max(n) + errors.
    """
    total = sum(counts)
    most = 2 * max(counts) + (1 - accuracy) * total
    return 2 * accuracy * total / most / len(counts)


def dick_hits() -> dict[str, int]:
    """Turn the accuracies of Dick's Figure 7 into faces of the 7,066 validation images.

    Raises:
      ValueError: one of them is no whole number of faces.
    """
    counts = dict(zip(EMOTIONS, DICK_COUNTS, strict=True))
    found = {e: fraction_of(v / 100, counts[e], decimals=4) for e, v in DICK_RECALLS.items()}
    if None in found.values():
        raise ValueError(f"no whole number of faces: {[e for e, f in found.items() if f is None]}")
    return {emotion: fraction.hits for emotion, fraction in found.items()}


def resnet_memory(*, batch: int = 64, parameters: int = 6_573_192) -> dict[str, float]:
    """Compute the sizes under Dick's table of layers, in MiB of float32, as torchsummary does."""
    at = {48: 64 * 3 + 128 * 3, 24: 128 * 7 + 256 * 3, 12: 256 + 512 * 3, 6: 512 * 7}
    outputs = sum(side * side * channels for side, channels in at.items()) + 512 + 512 + 8
    sizes = {
        "input": batch * 48 * 48, "activations": 2 * batch * outputs, "parameters": parameters,
    }
    mebibytes = {name: 4 * size / 2**20 for name, size in sizes.items()}
    return mebibytes | {"total": sum(mebibytes.values())}


def _li_collapsed() -> str:
    hits, n = LI_TEST[HAPPY], sum(LI_TEST)
    return (
        f"collapsed: {hits:,}/{n:,} = {100 * hits / n:.2f} % is “happy” for every face; it is no "
        "evidence that joint training cannot work"
    )


def _li_prior_loss() -> str:
    loss = entropy(LI_TEST, LI_TRAIN)
    return f"collapsed: the training split's class frequencies alone give {loss:.4f}"


def _li_end_accuracy() -> str:
    hits = LI_VALIDATION[HAPPY]
    return (
        f"no k/{sum(LI_VALIDATION):,} rounds to .2514 ({hits:,} “happy” faces are "
        f"{hits / sum(LI_VALIDATION):.4f}); whole batches of 16 do: 1,440/5,728 = "
        f"{1440 / 5728:.4f}, 5,772/22,960 = {5772 / 22960:.4f}: collapsed either way"
    )


def _li_end_loss() -> str:
    return (
        f"collapsed: the entropy of the class prior is {entropy(LI_TRAIN):.4f} on training, "
        f"{entropy(LI_VALIDATION, LI_TRAIN):.4f} on validation faces"
    )


def _li_half_test() -> str:
    found = [s for s in (58.78, 16.70, 58.74, 57.73) if fraction_of(s / 100, 3589, decimals=4)]
    of_all = fraction_of(0.5878, 7178, decimals=4)
    return (
        f"of the four accuracies of Tables 2 and 3, only {len(found)} are k/3,589 and all are "
        f"k/7,178 (58.78 % = {of_all.hits:,}/{of_all.n:,})"
    )


def _dick_alexnet() -> str:
    share = always(DICK_COUNTS)["accuracy"]
    return (
        f"collapsed: {max(DICK_COUNTS):,}/{sum(DICK_COUNTS):,} = {share:.4f} is “happy” for every "
        "face"
    )


def _dick_alexnet_loss() -> str:
    return f"collapsed: the entropy of the class prior is {entropy(DICK_COUNTS):.4f}"


def _dick_alexnet_f1() -> str:
    found = always(DICK_COUNTS)
    return (
        f"“happy” for every face has a macro-F1 of {found['macro_f1']:.3f}; weighted by support "
        f"it is {found['weighted_f1']:.3f}, the nearest to .105"
    )


def _dick_f1(accuracy: float) -> str:
    return (
        f"an accuracy of {accuracy:g} on these classes forces a macro-F1 of at least "
        f"{least_macro_f1(accuracy, DICK_COUNTS):.3f}; against shuffled labels it is about "
        f"1/7 = {1 / 7:.3f}"
    )


def _dick_resnet() -> str:
    hits, total = sum(dick_hits().values()), sum(DICK_COUNTS)
    return (
        f"the accuracies of the classes in Figure 7 are whole numbers of the {total:,} validation "
        f"images and sum to {hits:,}, that is {100 * hits / total:.2f} %: not of the same images"
    )


def _dong_prose() -> str:
    return "in no table: Tables 1 and 2 and the same section's end have 86.31"


def _dong_stray() -> str:
    return "Table 2 has it as another paper's (PAT)"


def _dong_gain() -> str:
    return f"86.31 − 81.68 = {86.31 - 81.68:.2f}, which rounds to 4.6"


def _bokanyi_lowest() -> str:
    return "three models of the best eight have 60.2 % or less (section V), which is below 61"


# The numbers that cannot be what their paper takes them for, each with the arithmetic.
CANNOT_BE_RIGHT: dict[str, Callable[[], str]] = {
    "li2023.data.test.images.text": _li_half_test,
    "li2023.B.clean.accuracy": _li_collapsed,
    "li2023.B.distorted.accuracy": _li_collapsed,
    "li2023.B.clean.loss": _li_prior_loss,
    "li2023.B.distorted.loss": _li_prior_loss,
    "li2023.B.train.accuracy": _li_end_accuracy,
    "li2023.B.train.loss": _li_end_loss,
    "bokanyi.singles.lowest": _bokanyi_lowest,
    "dong2021.raf_db.prose.accuracy": _dong_prose,
    "dong2021.raf_db.prose.stray": _dong_stray,
    "dong2021.raf_db.gain": _dong_gain,
    "dick2024.alexnet.accuracy": _dick_alexnet,
    "dick2024.alexnet.loss": _dick_alexnet_loss,
    "dick2024.alexnet.f1": _dick_alexnet_f1,
    "dick2024.custom.f1": lambda: _dick_f1(0.616),
    "dick2024.vgg16.f1": lambda: _dick_f1(0.645),
    "dick2024.resnet.f1": lambda: _dick_f1(0.681),
    "dick2024.resnet.accuracy": _dick_resnet,
}

# Of how many faces a paper's percentage is a share, by the beginning of its id.
SHARES_OF = {
    "li2023.vgg.clean.": sum(LI_TEST), "li2023.vgg.distorted.": sum(LI_TEST),
    "li2023.A.clean.": sum(LI_TEST), "li2023.A.distorted.": sum(LI_TEST),
    "dong2021.raf_db.vgg16.": RAF_DB_TEST, "dong2021.raf_db.lip.acc": RAF_DB_TEST,
    "dong2021.raf_db.ten_crop.": RAF_DB_TEST, "dong2021.raf_db.pretrained.": RAF_DB_TEST,
    "dong2021.sfew.vgg16.": SFEW_VALIDATION, "dong2021.sfew.lip.": SFEW_VALIDATION,
    "dong2021.cited.mre_cnn.": RAF_DB_TEST, "dong2021.cited.pat.": RAF_DB_TEST,
    "dong2021.cited.dlp_cnn.": RAF_DB_TEST, "dong2021.cited.iacnn.": SFEW_VALIDATION,
    "dong2021.cited.island_loss.": SFEW_VALIDATION, "dong2021.cited.ran.": SFEW_VALIDATION,
    **{
        f"dick2024.resnet.recall.{emotion}": n
        for emotion, n in zip(EMOTIONS, DICK_COUNTS, strict=True)
    },
}

# Counts and sizes that need no trained network.
COUNTED: dict[str, Callable[[], float]] = {
    "li2023.data.train.images": lambda: sum(LI_TRAIN),
    "li2023.data.validation.images": lambda: sum(LI_VALIDATION),
    "li2023.data.test.images": lambda: sum(LI_TEST),
    "dick2024.resnet.memory.input": lambda: resnet_memory()["input"],
    "dick2024.resnet.memory.activations": lambda: resnet_memory()["activations"],
    "dick2024.resnet.memory.parameters": lambda: resnet_memory()["parameters"],
    "dick2024.resnet.memory.total": lambda: resnet_memory()["total"],
}


def share_text(number: dict) -> str:
    """Say which fraction of its test set a paper's percentage is, "" where that is not known."""
    n = next((n for start, n in SHARES_OF.items() if number["id"].startswith(start)), None)
    if n is None or number["unit"] != "%":
        return ""
    decimals = number["decimals"] + 2
    found = fraction_of(number["value"] / 100, n, decimals=decimals)
    if found is not None:
        return f"{found.hits:,}/{found.n:,}"
    below = math.floor(number["value"] / 100 * n)
    near = " and ".join(f"{k} give {100 * k / n:.2f}" for k in (below, below + 1))
    return f"no k/{n:,}: {near}"

"""Say results in words: numbers as text, the headline sentence, the notes on protocol."""

from typing import Any

from fer_jax.report.paper import LI_TABLES
from fer_jax.report.results import Run, Study

MISSING = "—"

_DISTORTIONS = {
    "random_grey": (
        "random grey",
        "p",
        "each pixel replaced by a random grey level with probability {}",
    ),
    "gaussian": ("Gaussian noise", "σ", "Gaussian noise of σ = {} (grey levels 0 to 1) added"),
    "salt_pepper": ("salt and pepper", "p", "each pixel made black or white with probability {}"),
    "blur": ("Gaussian blur", "σ", "a Gaussian blur of σ = {} pixels"),
}

_DATASETS = {
    "fer2013": "FER2013",
    "synthetic": "synthetic faces",
    "rafdb": "RAF-DB",
    "sfew": "SFEW",
}

_PROTOCOLS = {
    "official": "validation is FER2013's PublicTest, test is its PrivateTest (3,589 faces)",
    "official-clean": "as official, without the test images that stand in Training (3,301 left)",
    "official-strict": "as official, without the test images that also stand in Training or "
    "PublicTest (3,275 left)",
    "keras80": "validation is the first fifth of each class's sorted files, test is both official "
    "test halves together (7,178 faces)",
    "dick": "a seeded draw with the paper's validation counts, half of which is the test",
}
# FER+'s rules: which faces they keep, and how many of PrivateTest.
_FERPLUS = {
    "majority": ("where one emotion has more than half of the votes", "3,153"),
    "crossentropy": ("whose votes at most three emotions explain", "3,505"),
    "multi-label": ("where emotions of 30 % and more have most of the votes", "3,472"),
    "no-nf": ("that anybody gave an emotion", "3,573"),
    "all": ("that there are", "3,589"),
}


def percent(value: float | None, digits: int = 2) -> str:
    """Format a fraction of 0..1 as a percentage."""
    return MISSING if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 4) -> str:
    """Format a loss or a score."""
    return MISSING if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """Format a whole number with thousands separated by commas."""
    return MISSING if value is None else f"{value:,.0f}"


def interval(evaluation: dict[str, Any] | None) -> str:
    """Format an evaluation's Wilson interval in percent."""
    low, high = (evaluation or {}).get("accuracy_low"), (evaluation or {}).get("accuracy_high")
    return MISSING if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def distortion_name(name: str) -> str:
    """Give a distortion's name in words."""
    return _DISTORTIONS.get(name, (name.replace("_", " "),))[0]


def strength_symbol(name: str) -> str:
    """Give the letter of a distortion's strength."""
    return _DISTORTIONS.get(name, (name, "strength"))[1]


def distortion_text(chosen: tuple[str, float] | None) -> str:
    """Say a distortion and its strength shortly, as in `random grey, p = 0.3`."""
    if chosen is None:
        return "no distortion chosen"
    name, strength = chosen
    return f"{distortion_name(name)}, {strength_symbol(name)} = {strength:g}"


def dataset_text(study: Study) -> str:
    """Give the dataset's name in words."""
    return _DATASETS.get(study.dataset, study.dataset)


def tag(study: Study) -> str:
    """Return ` (synthetic)` for results on synthetic faces, else nothing."""
    return " (synthetic)" if study.synthetic else ""


def headline(study: Study) -> str:
    """Say in one or two sentences what the results show, from the results alone."""
    hybrid, plain = study.run_of("A"), study.run_of("vgg")
    noisy_a = hybrid and study.distorted(hybrid)
    noisy_v = plain and study.distorted(plain)
    if study.distortion and _accuracy(noisy_a) is not None and _accuracy(noisy_v) is not None:
        return _compare(study, hybrid, plain, noisy_a, noisy_v)
    tested = [(r, r.evaluation()) for r in study.classifiers if r.evaluation()]
    if not tested:
        dae = next((r for r in study.finished if r.evaluation()), None)
        if dae is None:
            return "No run has been evaluated on the test faces yet."
        noisy = study.distorted(dae)
        text = f"{dae.label} on {dataset_text(study)}: test loss {number(dae.evaluation()['loss'])}"
        if noisy:
            text += f" on clean faces, {number(noisy['loss'])} under "
            text += distortion_text(study.distortion)
        return text + "."
    run, clean = max(tested, key=lambda pair: _accuracy(pair[1]) or 0.0)
    text = (
        f"On {count(clean.get('n'))} test images ({dataset_text(study)}), {run.label} is right on "
        f"{percent(_accuracy(clean), 1)} of the clean ones{tag(study)}"
    )
    noisy = study.distorted(run)
    if noisy:
        text += f" and {percent(_accuracy(noisy), 1)} under {distortion_text(study.distortion)}"
    return text + "."


def _compare(study: Study, hybrid: Run, plain: Run, noisy_a: dict, noisy_v: dict) -> str:
    name, strength = study.distortion
    how = _DISTORTIONS.get(name, ("", "", f"{distortion_name(name)} of strength {{}}"))[2]
    a, v = noisy_a["accuracy"], noisy_v["accuracy"]
    text = (
        f"With {how.format(f'{strength:g}')}, hybrid A is right on {percent(a, 1)} of "
        f"{count(noisy_a.get('n'))} {'synthetic ' if study.synthetic else ''}test faces, "
        f"the plain VGG on {percent(v, 1)}"
    )
    clean_a, clean_v = _accuracy(hybrid.evaluation()), _accuracy(plain.evaluation())
    if clean_a is not None and clean_v is not None:
        text += f"; on the clean faces they reach {percent(clean_a, 1)} and {percent(clean_v, 1)}"
    text += "."
    if _overlap(noisy_a, noisy_v):
        text += " The two intervals under distortion overlap."
    elif a < v:
        text += " The hybrid does not help here."
    for run in (hybrid, plain):
        if run.collapsed:
            text += f" {run.label} collapsed."
    return text


def notes(study: Study) -> list[str]:
    """List what a reader must know to judge the numbers."""
    found = []
    if study.synthetic:
        found.append(
            "All numbers of ours are made from synthetic, drawn faces. They show that the pipeline "
            "works and how the networks differ here; they say nothing about real faces and "
            "cannot be compared with the paper's numbers."
        )
    protocols = _unique(r.result.get("protocol") for r in study.finished)
    for protocol in protocols:
        meaning = "faces drawn anew for each split" if study.synthetic else protocol_text(protocol)
        found.append(f"Protocol {protocol}" + (f": {meaning}." if meaning else "."))
    for name, value in _unique(p for r in study.finished for p in _pairs(r.result, "split_notes")):
        found.append(f"Splits {name.replace('_', ' ')}: {_plain(value)}.")
    counts = _unique(
        e.get("n") for r in study.finished for e in r.evaluations if e["split"] == "test"
    )
    if counts:
        found.append(
            f"The test split has {' or '.join(count(n) for n in counts)} images; "
            "no epoch was chosen on it."
        )
    seeds = _unique(r.result.get("seed") for r in study.finished)
    if seeds:
        found.append(
            f"{'One seed' if len(seeds) == 1 else 'Seeds'} ({', '.join(map(str, seeds))}), one run "
            "of each network: the 95 % Wilson intervals are over test images only, not over seeds. "
            "A second seed may move a number by more than its interval."
        )
    if study.distortion:
        found.append(_on_the_choice(study))
        found.append(
            "At test time an image's noise depends on the seed and the image's pixels only: every "
            "network sees the same noisy image, whatever the batch size."
        )
    weights = _unique(r.result.get("weights") for r in study.finished)
    if weights:
        meaning = {
            "best": f"of the epoch with the {_best(study)}",
            "last": "of the last epoch",
            "ema": "the average over training of those that were trained",
        }
        said = ", ".join(f"{w} ({meaning[w]})" if w in meaning else str(w) for w in weights)
        li = " The paper does not say which it tested." if study.li_tables else ""
        found.append(f"Weights tested: {said}.{li}")
    return found


def _best(study: Study) -> str:
    configs = [r.result.get("config") or {} for r in study.finished]
    metrics = _unique((c.get("early_stopping") or {}).get("metric", "loss") for c in configs)
    said = [f"{'least' if m.endswith('loss') else 'greatest'} validation {m}" for m in metrics]
    return " or ".join(said).replace("_", " ")


def _on_the_choice(study: Study) -> str:
    text = (
        f"The chosen distortion is {distortion_text(study.distortion)}; the paper "
        "says that grey levels were changed at random, not how many."
    )
    plain = study.run_of("vgg")
    noisy = plain and study.distorted(plain, split="validation")
    if _accuracy(noisy) is not None:
        text += (
            f" At this strength the plain VGG has {percent(noisy['accuracy'], 1)} on the "
            f"validation faces{tag(study)}; in the paper it falls to "
            f"{percent(LI_TABLES['vgg']['distorted'][1])} on test faces."
        )
    return text


def scale(study: Study) -> list[tuple[str, str]]:
    """List what was run as (term, value) pairs: data, seed, size, machine."""
    results = [r.result for r in study.finished]
    configs = [r.get("config") or {} for r in results]
    facts = [
        ("Dataset", [dataset_text(study)] if study.dataset != "?" else []),
        ("Protocol", [r.get("protocol") for r in results]),
        ("Distortion", [distortion_text(study.distortion)] if study.distortion else []),
        ("Width", [_find(c, "width") for c in configs if not _is_dae(c)]),  # it scales the VGG
        ("Epochs run", [r.get("epochs") for r in results]),
        ("Seed", [r.get("seed") for r in results]),
        ("Device", [r.get("device") for r in results]),
        ("Commit", [r.get("commit") for r in results]),
    ]
    return [
        (term, ", ".join(map(_plain, _unique(values)))) for term, values in facts if _unique(values)
    ]


def commands(study: Study) -> list[str]:
    """List the distinct commands that made the results."""
    return [_plain(c) for c in _unique(r.result.get("command") for r in study.finished)]


def protocol_text(protocol: str) -> str | None:
    """Say what a protocol's splits are; None for those whose name says it."""
    name, *rules = protocol.split(":")
    if name != "ferplus" or not {*rules} <= {*_FERPLUS} or not rules:
        return _PROTOCOLS.get(protocol)
    kept, tested = _FERPLUS[rules[0]], _FERPLUS[rules[-1]]
    return (
        f"as official, by FER+'s votes: training and validation have the faces {kept[0]}, the test "
        f"those {tested[0]} ({tested[1]} in the whole dataset). Only the most-voted emotion counts "
        "as right"
    )


def _pairs(result: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    value = result.get(name)
    return list(value.items()) if isinstance(value, dict) else []


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _find(config: Any, name: str) -> Any:
    """Return the first value called `name` in a nested config, the outermost first."""
    if not isinstance(config, dict):
        return None
    if not isinstance(config.get(name), (dict, type(None))):
        return config[name]
    return next((v for v in (_find(c, name) for c in config.values()) if v is not None), None)


def _is_dae(config: dict[str, Any]) -> bool:
    return (config.get("model") or {}).get("name") == "dae"


def _unique(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def _accuracy(evaluation: dict[str, Any] | None) -> float | None:
    return (evaluation or {}).get("accuracy")


def _overlap(a: dict[str, Any], b: dict[str, Any]) -> bool:
    ends = [e.get(key) for e in (a, b) for key in ("accuracy_low", "accuracy_high")]
    return None not in ends and ends[0] <= ends[3] and ends[2] <= ends[1]

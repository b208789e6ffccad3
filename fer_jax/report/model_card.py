"""Write a model card as Markdown: every number in it is from the run's results."""

from collections.abc import Sequence
from typing import Any

from fer_jax.metrics import wilson
from fer_jax.report.tables import Table, markdown
from fer_jax.report.wording import (
    count, distortion_name, interval, number, percent, protocol_text, strength_symbol,
)

LIMITS = """\
- It names the expression that a face seems to show, as the people who labelled the dataset saw it.
  That is not what somebody feels; do not decide about people by it, at work, at school, at borders
  or in therapy, nor watch them with it.
- It has seen single, roughly frontal, grey faces cut like those of its dataset. Other cuts, poses,
  ages or skins than that dataset's were not measured, and accuracy by such groups is not known.
- Accuracy on distorted faces is known for the distortions listed above and for no other.
- The probabilities are not calibrated; `python -m fer_jax.calibration` measures that of a run.
- The dataset's labels are noisy, and rare emotions rest on few faces: see the intervals.
"""


def write_card(card: dict[str, Any]) -> str:
    """Write the card that `model_card.describe` gives, as Markdown."""
    if "evaluations" not in card:  # a file that somebody else's code wrote
        return (
            "# Model card\n\nNothing is known of how this model was trained or what it reaches.\n"
        )
    synthetic = card["dataset"] == "synthetic"
    variant = f" ({card['variant']})" if card.get("variant") else ""
    parts = [
        f"# Model card: {card['model']}{variant}, run `{card['run']}`\n",
        "**Trained and measured on drawn (synthetic) faces: no number here is of real ones.**\n"
        if synthetic else "",
        "## The model\n",
        _facts(_model_facts(card)),
        *(f"\n**Alarm:** {alarm}\n" for alarm in card.get("alarms", [])),
        "\n## Data\n",
        _data(card),
        "\n## Accuracy\n",
        *_accuracies(card),
        *_by_class(card),
        "## Use\n",
        "In: faces as 8-bit pixels, "
        f"{'x'.join(map(str, card['image_shape']))} (height, width, channels; a Recognizer makes "
        f"others fit). Out: a probability for each of {', '.join(card['labels'])}.\n",
        "\n```python\nfrom fer_jax import Recognizer\n\n"
        'answers = Recognizer.load("MODEL.safetensors")(images)  # emotion, probabilities, noise\n'
        "```\n",
        "\nMeant for research and for learning how such networks fail.\n",
        "\n## Limits\n\n" + LIMITS,
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _model_facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    training, parameters = card["training"], card["parameters"]
    weights = {"ema": "average over training, of the best epoch", "best": "of the best epoch"}
    distorted = training["train_distortion"]
    strength = training["train_strength"] or [training["distortion"]["strength"]]
    name = training["distortion"]["name"]
    noise = "none" if not distorted else (
        f"{percent(distorted, 0)} of each batch: {distortion_name(name)}, "
        f"{strength_symbol(name)} {' to '.join(f'{s:g}' for s in strength)}"
    )
    optim = training["optim"]
    seconds = card.get("train_seconds")
    return [
        ("Parameters", f"{count(sum(parameters[k] for k in ('trainable', 'frozen')))}, and "
         f"{count(parameters['non_trainable'])} running statistics"),
        ("Weights", weights.get(card["weights"], "of the last epoch")),
        ("Epochs", f"{card['epochs']}, the best one {card['best_epoch']}"),
        ("Training", f"{optim['name']} at {optim['learning_rate']:g}, schedule "
         f"{optim['schedule']}, batch {training['batch_size']}"),
        ("Distortion in training", noise),
        ("Seed", f"{card['seed']}; one run"),
        ("Time", f"{seconds / 60:.0f} minutes" if seconds else "not known"),
        ("Device", str(card.get("device"))),
        ("Commit", f"`{card.get('commit')}`"),
        ("Versions", ", ".join(f"{k} {v}" for k, v in (card.get("versions") or {}).items())),
        ("Command", f"`{card.get('command')}`"),
        ("Config", f"hash `{card['config_hash']}`"),
    ]


def _data(card: dict[str, Any]) -> str:
    meaning = protocol_text(card["protocol"])
    said = f": {meaning}" if meaning and card["dataset"] == "fer2013" else ""
    chosen = "The best epoch is chosen on validation faces; test faces choose nothing."
    rows = [
        (name, count(size), *(count(n) for n in card["split_classes"][name]))
        for name, size in card["split_sizes"].items()
        if name in ("train", "validation", *_splits(card))
    ]
    table = Table("Faces", ("split", "faces", *card["labels"]), rows)
    return (
        f"Dataset `{card['dataset']}`, protocol `{card['protocol']}`{said}. {chosen}\n\n"
        + markdown(table)
    )


def _splits(card: dict[str, Any]) -> list[str]:
    """List the splits that were evaluated, in their order."""
    return list(dict.fromkeys(entry["split"] for entry in card["evaluations"]))


def _accuracies(card: dict[str, Any]) -> list[str]:
    splits = _splits(card)
    held = {(e["distortion"], e["strength"], e["split"]): e for e in card["evaluations"]}
    kinds = list(dict.fromkeys((e["distortion"], e["strength"]) for e in card["evaluations"]))
    rows = []
    for kind in kinds:
        cells = []
        for split in splits:
            entry = held.get((*kind, split))
            cells.append(f"{percent(entry['accuracy'])} ({interval(entry)})" if entry else "—")
        rows.append((_kind(*kind), *cells))
    heads = [f"{name} ({count(next(e['n'] for e in card['evaluations'] if e['split'] == name))})"
             for name in splits]
    note = "In brackets Wilson's 95 % interval over the faces; it does not cover other seeds."
    return [markdown(Table("Accuracy by split (faces)", ("faces", *heads), rows, (note,)))]


def _by_class(card: dict[str, Any]) -> list[str]:
    """Give tables by class: of the test's clean faces, and beside it the config's distortion."""
    tested = [e for e in card["evaluations"] if e["split"] == "test"]
    clean = next((e for e in tested if e["distortion"] == "clean"), None)
    if clean is None or not clean.get("confusion"):
        return []
    wanted = card["training"]["distortion"]
    noisy = next(
        (e for e in tested
         if (e["distortion"], e["strength"]) == (wanted["name"], wanted["strength"])), None
    )
    rows = []
    for i, label in enumerate(card["labels"]):
        faces = sum(clean["confusion"][i])
        of = clean["per_class"]
        cells = [
            count(faces), _share(clean["confusion"][i][i], faces),
            percent(of["precision"][i], 1), number(of["f1"][i], 3),
        ]
        if noisy:
            cells.append(_share(noisy["confusion"][i][i], sum(noisy["confusion"][i])))
        rows.append((label, *cells))
    columns = ("class", "faces", "recall", "precision", "F1")
    columns += (f"recall, {_kind(noisy['distortion'], noisy['strength'])}",) if noisy else ()
    named = tuple(card["labels"])
    mixed = [
        (label, *map(count, row)) for label, row in zip(named, clean["confusion"], strict=True)
    ]
    means = (
        f"Balanced accuracy {percent(clean['balanced_accuracy'])}, macro F1 "
        f"{number(clean['macro_f1'], 3)}."
    )
    return [
        markdown(Table("By class, test, clean", columns, rows, (means,))),
        markdown(Table("Confusion, test, clean: rows are true", ("", *named), mixed)),
    ]


def _share(right: int, n: int) -> str:
    if not n:
        return "—"
    low, high = wilson(right, n)
    return f"{percent(right / n, 1)} ({100 * low:.0f}–{100 * high:.0f})"


def _kind(name: str, strength: float) -> str:
    if name == "clean":
        return "clean"
    return f"{distortion_name(name)}, {strength_symbol(name)} = {strength:g}"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in pairs) + "\n"

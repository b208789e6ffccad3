"""Which of our results stand beside which of the papers' numbers, as data."""

from typing import Any, NamedTuple

PAPERS = {
    "li2023": "Li 2023, VGG with a denoising autoencoder",
    "bokanyi": "Bokányi and Mészégető, ensembles of nine models",
    "dong2021": "Dong 2021, VGG16 with local importance pooling",
    "dick2024": "Dick 2024, four networks compared",
    "gao": "Gao and Ma, squeeze-and-excitation and separable convolutions",
}

# The honest protocol chooses on PublicTest and reports PrivateTest once: (protocol, split) by kind,
# the first that there is. `keras80` chooses on a fifth of Training instead, which is as honest.
HONEST = {
    "plain": (
        ("official", "test"), ("official-clean", "private"), ("official-strict", "private"),
        ("keras80", "private"),
    ),
    "clean": (
        ("official-clean", "test"), ("official", "private_clean"),
        ("official-strict", "private_clean"), ("keras80", "private_clean"),
    ),
    "strict": (
        ("official-strict", "test"), ("official-clean", "private_strict"),
        ("official", "private_strict"), ("keras80", "private_strict"),
    ),
}
OFFICIAL = HONEST["plain"][:3]


class Row(NamedTuple):
    """What of ours stands beside one number.

    Attributes:
      run: what the results must hold, by dotted path, as {"model": "vgg"}.
      value: where the number is: a path in an evaluation ("accuracy"), or in the run ("epochs"),
        "last.NAME" or "most.NAME" of the epochs' lines, "counts.NAME" of results/parameters.json,
        "ensemble.NAME" of an ensemble.json.
      same: the (protocol, split) pairs that are the paper's own protocol; () if ours has none.
      epochs: how many the paper trains, or our config where it does not say; fewer of ours, or a
        smaller width, is `reduced`.
      distorted: whether the faces are distorted as the run's config says.
      minus: the run that is subtracted, seed by seed, for a difference.
      network: the config of `value` "counts.NAME".
      licensed: the dataset that each user must ask for, if the number is of one.
      note: what a reader must know beside the number.
    """

    run: dict[str, Any] = {}
    value: str = ""
    same: tuple[tuple[str, str], ...] = ()
    epochs: int = 0
    distorted: bool = False
    minus: dict[str, Any] | None = None
    network: str = ""
    licensed: str = ""
    note: str = ""


def _li(name: str, run: dict[str, Any]) -> dict[str, Row]:
    base = Row(run | {"protocol": "keras80"}, epochs=150, same=(("keras80", "test"),))
    open_set = "The paper does not say of which faces; ours: validation."
    last = base._replace(same=(), note=open_set)
    found = {
        f"{name}.train.epochs": base._replace(value="epochs", same=()),
        f"{name}.train.loss": last._replace(value="last.validation_loss"),
        f"{name}.train.accuracy": last._replace(value="last.validation_accuracy"),
    }
    for condition in ("clean", "distorted"):
        distorted = condition == "distorted"
        for value in ("loss", "accuracy"):
            # The honest columns take whatever protocol there is.
            found[f"{name}.{condition}.{value}"] = base._replace(
                run=run, value=value, distorted=distorted
            )
    return {f"li2023.{number}": row for number, row in found.items()}


_CLASSIFIER = {"config.train_distortion": 0.0}
_CHOSEN = "The strength was chosen on validation faces, by how far the VGG's accuracy falls."
_LI = {
    **_li("vgg", {"model": "vgg", **_CLASSIFIER}),
    **_li("A", {"model": "hybrid", "variant": "A", **_CLASSIFIER}),
    **_li("B", {"model": "hybrid", "variant": "B", **_CLASSIFIER}),
}
_LI["li2023.B.train.accuracy.highest"] = _LI["li2023.B.train.accuracy"]._replace(
    value="most.validation_accuracy"
)
_DAE = _LI["li2023.vgg.train.loss"]._replace(
    run={"model": "dae", "config.train_distortion": 1.0, "protocol": "keras80"}
)
_LI["li2023.dae.train.loss"] = _DAE
_LI["li2023.dae.train.epochs"] = _DAE._replace(value="epochs", note="")
for _id in ("li2023.vgg.distorted.accuracy", "li2023.vgg.distorted.loss"):
    _LI[_id] = _LI[_id]._replace(note=_CHOSEN)


def _counts(network: str, value: str = "trainable", note: str = "") -> Row:
    return Row(network=network, value=f"counts.{value}", note=note)


def _tested(model: str, *, epochs: int, same=(), value="accuracy", **config: Any) -> Row:
    # Trained as the papers did, on clean faces: what noise does to training is our own question.
    run = {"model": model, **_CLASSIFIER} | {f"config.{n}": held for n, held in config.items()}
    return Row(run, value, same=tuple(same), epochs=epochs)


_DICK = (("dick", "test"),)
_DICK_NETWORKS = {
    "custom": ("custom_cnn", {"variant": "v4"}),
    "alexnet": ("alexnet", {}),
    "vgg16": ("vgg16_dick", {}),
    "resnet": ("resnet9", {}),
}
_DICK_VALUES = {"accuracy": "accuracy", "loss": "loss", "f1": "macro_f1"}
_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def _dick() -> dict[str, Row]:
    found = {}
    for name, (model, more) in _DICK_NETWORKS.items():
        for printed, value in _DICK_VALUES.items():
            row = _tested(model, epochs=50, same=_DICK, value=value)
            found[f"dick2024.{name}.{printed}"] = row._replace(run=row.run | more)
    for i, emotion in enumerate(_EMOTIONS):
        found[f"dick2024.resnet.recall.{emotion}"] = _tested(
            "resnet9", epochs=50, same=(("dick", "validation"),), value=f"per_class.recall.{i}"
        )._replace(note="Whole numbers of the 7,066 validation images, of which the test is half.")
    for name, variant, epochs in (("custom_v3", "v3", 20), ("custom", "v4", 50)):
        row = _tested("custom_cnn", epochs=epochs, value="last.train_accuracy")
        found[f"dick2024.{name}.train.accuracy"] = row._replace(run=row.run | {"variant": variant})
    return found


_NINE = "Of our nine: three networks, each at two rates and with a second seed."
_BOKANYI = {
    f"bokanyi.{number}": Row(
        value=f"ensemble.{value}", same=OFFICIAL, epochs=80, note=f"{_NINE} {note}".strip()
    )
    for number, value, note in (
        ("singles.lowest", "lowest", ""),
        ("singles.highest", "highest", ""),
        ("singles.best", "best", "The best is chosen on validation faces."),
        ("singles.above_55", "above_55", ""),
        ("ensemble.mean.accuracy", "rule.simple mean", ""),
        ("ensemble.final.accuracy", "rule.simple mean", "The simple mean's."),
        ("ensemble.accuracy_weighted.accuracy", "rule.accuracy-weighted", ""),
        ("ensemble.weighted.behind_mean", "behind", "The simple mean less the worst of three."),
        ("ensemble.gain", "gain", "The simple mean's; the best single is chosen on validation "
         "faces, the interval a paired bootstrap."),
        ("ensemble.best_size", "best_size", "Of the best by validation accuracy; read off the test "
         "faces, so it chooses nothing."),
    )
}

_LICENSED = {
    number: Row(licensed=dataset)
    for dataset, numbers in {
        "RAF-DB": (
            "vgg16.accuracy", "lip.accuracy", "ten_crop.accuracy", "pretrained.accuracy",
            "prose.accuracy", "prose.stray", "gain",
        ),
        "SFEW": ("vgg16.accuracy", "lip.accuracy", "gain", "gain.abstract"),
    }.items()
    for number in (f"dong2021.{dataset.lower().replace('-', '_')}.{n}" for n in numbers)
}

ROWS: dict[str, Row] = {
    **_LI,
    "li2023.vgg.parameters.trainable": _counts("configs/vgg.py"),
    "li2023.vgg.parameters.non_trainable": _counts("configs/vgg.py", "non_trainable"),
    "bokanyi.shallow.parameters": _counts("configs/alizadeh_shallow.py"),
    "bokanyi.deep.parameters": _counts("configs/alizadeh_deep.py"),
    "bokanyi.fcn.parameters": _counts(
        "configs/agrawal_fcn.py", note="The widths are ours, chosen to give about this count."
    ),
    "bokanyi.shallow.accuracy": _tested("alizadeh_shallow", epochs=80, same=OFFICIAL),
    "bokanyi.deep.accuracy": _tested("alizadeh_deep", epochs=80, same=OFFICIAL),
    "bokanyi.fcn.accuracy": _tested("agrawal_fcn", epochs=80, same=OFFICIAL),
    "bokanyi.train.epochs": _tested("alizadeh_shallow", epochs=80, value="epochs"),
    **_BOKANYI,
    **_LICENSED,
    "dong2021.raf_db.lip.gain": Row(
        {"model": "vgg16", "config.model.pool": "projection", "config.model.attention": "none"},
        "accuracy",
        epochs=60,
        minus={"config.model.pool": "max"},
        licensed="RAF-DB",
        note="Ours on FER2013 instead, without attention, seed by seed; no verdict across data.",
    ),
    **_dick(),
    "dick2024.resnet.parameters.trainable": _counts("configs/resnet9_as_printed.py"),
    "dick2024.resnet.parameters.non_trainable": _counts(
        "configs/resnet9_as_printed.py", "frozen",
        "PyTorch's table counts frozen parameters only, no running statistics.",
    ),
    "gao.se.accuracy": _tested("se_separable", epochs=50, same=(("ratio:80-10-10", "test"),)),
    "gao.se.train.epochs": _tested("se_separable", epochs=50, value="epochs"),
}

"""What several fields of a config must have in common."""

from ml_collections import ConfigDict

from fer_jax.data.ferplus import rules_by_split
from fer_jax.data.protocols import check_protocol
from fer_jax.data.splits import class_names
from fer_jax.epochs import RAW, watched
from fer_jax.errors import UserError, suggest
from fer_jax.explain_maps import explain_feature_maps
from fer_jax.ops.distortion import check_strength
from fer_jax.optim import FROZEN
from fer_jax.samples import DENOISING
from fer_jax.starts import check_init, check_pretrained, check_thaw


def find_complaint(config: ConfigDict) -> str:
    """Return the first complaint, which follows the config's name, or ""."""
    return next(filter(None, (relation(config) for relation in RELATIONS)), "")


def _strengths(config: ConfigDict) -> str:
    """Check that the distortion has every strength that the run names."""
    name = config.distortion.name
    strengths = {
        "distortion.strength": (config.distortion.strength,),
        "evaluation.strengths": config.evaluation.strengths,
        "train_strength": config.train_strength,
    }
    for field, values in strengths.items():
        for value in values:
            try:
                check_strength(name, value)
            except ValueError as error:
                none = "; set distortion.strength=0 and evaluation.strengths=()"
                return f".{field}: {error}{none if name == 'clean' else ''}"
    return ""


def _rule_labels(config: ConfigDict) -> str:
    """Check that every label of the optimizer's rules says how fast it learns."""
    known = (FROZEN, "train", *config.optim.rate_factors)
    unknown = [label for _, label in config.optim.rules if label not in known]
    if not unknown:
        return ""
    return (
        f".optim.rules has the label {unknown[0]!r} without a factor in optim.rate_factors. "
        f"{suggest(unknown[0], known)}"
    )


def _optimizer(config: ConfigDict) -> str:
    """Check that the optimizer and the schedule read what is set for them."""
    optim = config.optim
    if optim.nesterov and (optim.name != "sgd" or not optim.momentum):
        return (
            f".optim.nesterov is True with the optimizer {optim.name!r} and a momentum of "
            f"{optim.momentum}; it is a kind of momentum, which only 'sgd' has here"
        )
    if optim.weight_decay and optim.name == "adam":
        return (
            f".optim.weight_decay is {optim.weight_decay}, and 'adam' has none that is decoupled; "
            "set optim.name to 'adamw', or optim.l2 for a term in the loss"
        )
    if (optim.schedule == "step") != bool(optim.step_epochs):
        return (
            f".optim.step_epochs is {optim.step_epochs}, and the schedule is {optim.schedule!r}; "
            "'step' needs at least 1, and the others have none, 0"
        )
    return ""


def _metrics(config: ConfigDict) -> str:
    """Check that the metrics that decide something are measured."""
    fields = ("early_stopping.metric", "optim.plateau.metric")
    for field, metric in zip(fields, watched(config), strict=True):
        if metric.startswith(RAW) and not config.ema:
            return (
                f".{field} is {metric!r}, of the weights beside their average, and ema is 0; set "
                f"it to {metric.removeprefix(RAW)!r}"
            )
        if config.task == "denoise" and not metric.endswith("loss"):
            return f".{field} is {metric!r}, and who denoises has a loss only; set it to 'loss'"
    return ""


def _task(config: ConfigDict) -> str:
    """Check that the network is made for the task."""
    task, name = config.task, config.model.name
    fits = "denoise" if name == "dae" else "classify"
    if task == fits:
        return ""
    return f".task is {task!r}, and the model {name!r} cannot do that; its task is {fits!r}"


def _reconstruction(config: ConfigDict) -> str:
    """Check that a reconstruction that is weighed in the loss is made."""
    weight, name = config.reconstruction_weight, config.model.name
    if not weight or name in DENOISING:
        return ""
    return (
        f".reconstruction_weight is {weight}, and the model {name!r} reconstructs nothing; "
        "set it to 0 or choose a hybrid"
    )


def _soft_targets(config: ConfigDict) -> str:
    """Check that what changes targets, or weighs classes, has such to work on."""
    fields = {
        ".loss.class_weights": config.loss.class_weights != "none",
        ".loss.label_smoothing": config.loss.label_smoothing,
        ".augmentation.mixup": config.augmentation.mixup,
        ".augmentation.cutmix": config.augmentation.cutmix,
    }
    field = next((name for name, value in fields.items() if value), "")
    if not field:
        return ""
    if config.task != "classify":
        return f"{field} is for a classifier's targets, and the task is {config.task!r}"
    if field.startswith(".augmentation") and config.reconstruction_weight:
        return f"{field} mixes faces, and the reconstruction's target is one face; set it to 0"
    rules = rules_by_split(config.data.protocol)
    if rules and rules["train"] == "multi-label":
        return (
            f"{field} changes the classes' shares of a target, and ferplus:multi-label accepts any "
            "of its classes whatever their shares; leave it off or choose ferplus:crossentropy"
        )
    return ""


def _preprocess(config: ConfigDict) -> str:
    """Check that what is compared with pixels stays in their units, and that views are averaged."""
    name, kind, views = config.model.name, config.preprocess.normalise, config.evaluation.views
    if name in DENOISING and kind != "none":
        return (
            f".preprocess.normalise is {kind!r}, and the model {name!r} compares what it "
            "reconstructs with pixels in 0..1; set it to 'none'"
        )
    if config.task == "denoise" and views != "plain":
        return f".evaluation.views is {views!r}, and only a classifier's answers are averaged"
    return ""


def _protocol(config: ConfigDict) -> str:
    """Check the protocol's name, and that the network has a class for each of its labels."""
    dataset, protocol, classes = config.data.dataset, config.data.protocol, config.model.classes
    if dataset != "synthetic":
        try:
            check_protocol(protocol)
        except UserError as error:
            return f".data.protocol: {error}"
    names = class_names(dataset, protocol=protocol)
    # Dick's ResNet is printed with an eighth output, which no label asks for.
    spare = 1 if config.model.name == "resnet9" else 0
    if config.task != "classify" or len(names) <= classes <= len(names) + spare:
        return ""
    return (
        f".model.classes is {classes}, and protocol {protocol!r} on {dataset} has {len(names)}: "
        f"{', '.join(names)}. Set it to {len(names)}, or choose another protocol"
    )


# What several fields must have in common: the complaint that follows the config's name, or "".
RELATIONS = (
    _strengths, _rule_labels, _optimizer, check_thaw, check_init, check_pretrained, _metrics, _task,
    _reconstruction, _soft_targets, _preprocess, _protocol, explain_feature_maps,
)

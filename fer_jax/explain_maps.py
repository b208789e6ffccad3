"""Whether a network has the layers whose maps a config asks to see, from shapes alone."""

from ml_collections import ConfigDict

from fer_jax.data.splits import face_shape
from fer_jax.models import build
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.saliency import explain_layers, list_map_layers


def explain_feature_maps(
    config: ConfigDict, image_shape: tuple[int, ...] | None = None
) -> str:
    """Say what is wrong with `config.evaluation.feature_maps`, or "".

    `image_shape` (h, w, c) is that of the stored faces. Without it only datasets that are known
    before they are prepared are looked at.
    """
    names = config.evaluation.feature_maps
    if not names:
        return ""
    if config.task != "classify":
        return (
            f".evaluation.feature_maps is {names!r}, and a {config.model.name} names no class, "
            "which the saliency beside the maps needs; set it to () and show a hybrid's DAE"
        )
    # Here and not above: the readers of all layouts come with it.
    from fer_jax.data.datasets import DATASETS

    if image_shape is None and config.data.dataset not in ("synthetic", *DATASETS):
        return ""
    stored = image_shape or face_shape(config.data.dataset)
    seen = input_shape(stored, preprocess=read_preprocess(config))
    try:
        layers = list_map_layers(build(config.model), seen)
    except (ValueError, ZeroDivisionError):
        return ""  # a network that cannot be built for such faces is refused with its own reason
    complaint = explain_layers(tuple(names), layers)
    return f".evaluation.feature_maps: {complaint}" if complaint else ""

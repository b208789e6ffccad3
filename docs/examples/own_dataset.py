"""A dataset of your own: folders SPLIT/EMOTION/ of pictures, prepared once, named in a config.

    my_faces/train/happy/0001.png
    my_faces/train/sad/0002.jpg
    my_faces/test/happy/0003.png

Commands:  python -m fer_jax.data.prepare my_faces --source=my_faces --size=48x48
           python -m fer_jax.main --config=docs/examples/own_dataset.py
"""

from ml_collections import ConfigDict

from configs import vgg


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the small VGG's run on them, a tenth of the training faces held out to choose by."""
    config = vgg.get_config("small")
    config.data.dataset = "my_faces"
    config.data.protocol = "holdout:10"
    config.evaluation.splits = ("validation", "test")
    return config

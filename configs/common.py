"""Every field a run has, with its default; the other configs change what they need."""

from ml_collections import ConfigDict

from fer_jax.models.vgg import VGG16_BLOCKS

# The distortion of the whole study. The paper states neither kind nor strength; of the strengths
# .05 .1 .2 .3 .5 this one brings the plain VGG of `:small` nearest to the paper's 16.7 % on
# validation faces (17.3 %; .3 gives 15.1 %): results/vgg_dae-small/vgg/results.json.
DISTORTION = {"name": "random_grey", "strength": 0.2}

# Li's table 1 to the letter; its plateau patience is not stated, so it is Keras' default.
AS_PRINTED = {"batch_size": 16, "epochs": 150, "optim": {"learning_rate": 0.05}}

# For two CPU cores: a rate that falls to zero within the few epochs there are.
SMALL_SCHEDULE = {"schedule": "cosine", "beta2": 0.999}
# He's initialisation and no dropout, because few epochs must do: with Glorot's and a dropout of .4
# the quarter-width VGG was still at 22 % of its training faces after four epochs.
SMALL = {
    "model": {"width": 0.25, "dropout": 0.0, "kernel_init": "he_normal"},
    "epochs": 7,
    "batch_size": 64,
    "optim": {"learning_rate": 1e-3, **SMALL_SCHEDULE},
}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the defaults, which are a plain VGG's."""
    del variant
    return ConfigDict(
        {
            "task": "classify",  # or "denoise": what the loss is
            "seed": 0,
            # Runs with seeds seed, seed + 1, ...: a study of seed0, seed1, ..., each with its own
            # start, order and dropout; on an accelerator as one program (points_per_program).
            "seeds": 1,
            "batch_size": 64,
            "epochs": 150,  # 0 trains nothing: the run is what it starts from
            "restore_best": True,  # evaluate the best epoch, not the last; Li does not say which
            "data": {
                "dataset": "fer2013",  # or "synthetic"
                "protocol": "keras80",  # Li's: official, keras80 or ratio:80-10-10
                "sizes": (0, 0, 0),  # faces in train, validation, test; 0 is all there are
                # Training faces that take more, in megabytes of 10**6, are not kept on the devices:
                # their batches are read from the prepared file, a step ahead. 0 keeps any number.
                "device_budget_mb": 2048.0,
            },
            "balance": "none",  # or "oversample": every class equally often in each epoch
            "loss": {  # of a classifier; what is reported stays the plain cross-entropy
                "class_weights": "none",  # or "balanced": n / (classes * count)
                "label_smoothing": 0.0,
            },
            "model": {
                "name": "vgg",
                "variant": "",
                "classes": 7,
                "width": 1.0,  # factor on every filter and unit of the VGG
                "blocks": VGG16_BLOCKS,
                "dense": (4096, 4096),
                "dropout": 0.4,
                "momentum": 0.99,  # of BatchNorm's running averages
                "filters": (16, 24),  # of the DAE
                "kernel_init": "glorot_uniform",  # of the VGG: Keras' default; or "he_normal"
                "freeze_dae": False,
                "dtype": "float32",  # of the computation; bfloat16 on accelerators
            },
            # Parameters that come from another run: {"dae": "configs/dae.py"} fills params["dae"].
            # "runs.NAME" is the run of that name in the same study. A key that begins with "^" is a
            # regex of the parameters to take from a run that keeps its own data (transfer):
            # {"^(?!head/)": "runs.raf_db"} takes all but the head.
            "init": {},
            "init_dir": "",  # a folder that holds finished upstream runs, as init_dir/NAME
            # A file that the network starts from, if any: torchvision's vgg16, vgg16_bn or alexnet
            # (.pth, .safetensors) or Keras' VGG16 (.h5). config.init comes after it.
            "pretrained": "",
            "augmentation": {
                "rotate": (-20.0, 20.0),  # degrees, as Keras reads rotation_range=20
                "flip": True,
                "shift": 0.0,  # greatest shift, as a share of each side
                "crop_padding": 0,
                "resized_crop": (),  # (least, greatest) share of the area, resized back
                "brightness": 0.0,  # colour jitter, as torchvision's ColorJitter
                "contrast": 0.0,
                "saturation": 0.0,  # this and hue of RGB faces only
                "hue": 0.0,
                "erase": 0.0,  # probability of an erased box
                "mixup": 0.0,  # alpha of Beta(alpha, alpha); with cutmix too, each batch takes one.
                "cutmix": 0.0,  # Training then counts the label of a face's larger part
            },
            # What the network sees of a face, after augmentation and distortion of the stored one.
            "preprocess": {
                "size": 0,  # side that faces are resized to; 0 leaves them as they are stored
                "crop": 0,  # side of a square cut out: anywhere in training, the centre in testing
                "normalise": "none",  # 0..1; or "imagenet" (grey becomes RGB), "symmetric" (-1..1)
            },
            "distortion": DISTORTION,
            # Share of each training batch that is distorted: 0 for VGG, A and B, 1 for the DAE.
            "train_distortion": 0.0,
            "train_strength": (),  # empty: distortion.strength; (low, high): drawn for each face
            "reconstruction_weight": 0.0,  # of the pixel loss beside the classifier's
            "optim": {
                "name": "adam",  # or "adamw", "sgd"
                "learning_rate": 1e-3,
                "beta1": 0.9,
                "beta2": 0.99,  # Li's table 1
                "epsilon": 1e-7,  # Keras'
                "momentum": 0.9,  # of "sgd"
                "nesterov": False,  # of "sgd"
                "l2": 0.0,  # of the loss's term l2 * sum(w**2), as in Keras; PyTorch's is twice it
                "weight_decay": 0.0,  # decoupled, of "adamw" and "sgd"
                "decay": "kernel$",  # regex of the parameters that those two act on
                "clip_norm": 0.0,  # greatest norm of all gradients together; 0 clips nothing
                "accumulate": 1,  # batches an update; BatchNorm sees each by itself
                "schedule": "constant",  # or "cosine" (to zero), "step"
                "warmup_epochs": 0.0,  # for which the rate rises from 0, in every schedule
                "step_epochs": 0,  # of "step": the rate falls after each so many epochs ...
                "step_factor": 0.1,  # ... to this share of itself
                "rules": ((".*", "train"),),  # (regex, label); the label "frozen" trains nothing
                "rate_factors": {},  # of the labels other than "train", on learning_rate
                "thaw_epochs": {},  # label: epochs for which its parameters are frozen first
                "plateau": {
                    "metric": "loss",  # as early_stopping.metric
                    "factor": 0.5,
                    "patience": 10,
                    "min_delta": 1e-4,
                    "min_scale": 0.0,
                },
            },
            # Decay of an average of the weights, of 0.999 or so, that the run is then tested with;
            # 0 is none. The weights as they are trained are evaluated beside it.
            "ema": 0.0,
            # The metric, on validation faces, decides the best epoch too: loss, accuracy,
            # balanced_accuracy, macro_f1 or weighted_f1; with an ema, raw_loss, raw_accuracy, ...
            # are of the weights as they are trained.
            "early_stopping": {"metric": "loss", "patience": 20, "min_delta": 0.0},
            "evaluation": {
                "batch_size": 128,  # at 256 Li's run takes 2.7 GB on a CPU
                "splits": ("validation", "test", "private"),  # those that the dataset has
                "strengths": (0.05, 0.1, 0.2, 0.3, 0.5),  # of the distortion, beside clean
                "views": "plain",  # or "flip", "ten_crop": of preprocess.crop, else 11/12 resized
                "average": "probabilities",  # over the views; or "logits"
                "feature_maps": (),  # layers that the report shows; fer_jax.feature_maps --list
            },
            "checkpoint_minutes": 10.0,  # a checkpoint inside an epoch that takes longer
            "mesh": {"data": 0},  # devices that share a batch; 0 is all
            "steps_per_dispatch": 0,  # 0 is 1 on CPU, where a scan is slow, and 64 elsewhere
            # Of a grid (config.grid, see fer_jax/grid.py) or of seeds: points that train as one
            # program at most. 0 is 1, each in its turn, on CPU, and 16 elsewhere.
            "points_per_program": 0,
        }
    )

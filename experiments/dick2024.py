"""Dick 2024: a custom CNN, AlexNet, VGG-16 and a ResNet; its table 1, per-class and map figures."""

from experiments.harness import Experiment, Spec, command

CLEAN = {"data.protocol": "official-clean"}  # beside the paper's own draw of test faces
NETWORKS = {
    "custom_cnn": "configs/custom_cnn.py:v4",
    "alexnet": "configs/alexnet.py",
    "vgg16": "configs/vgg16_dick.py",
    "resnet9": "configs/resnet9.py",
}

# The layers of the paper's feature maps: after AlexNet's first two convolutions.
MAPS = {"evaluation.feature_maps": ("conv1", "conv2")}

EXPERIMENT = Experiment(
    name="dick2024",
    title="Four convolutional networks compared (Dick 2024) on FER2013",
    paper="dick2024",
    specs={
        "cpu": (
            Spec("custom_cnn", "configs/custom_cnn.py:small"),
            Spec("alexnet_as_printed", "configs/alexnet.py:as_printed",
                 {"model.width": 0.25, "epochs": 1, **MAPS}),
            Spec("vgg16", "configs/vgg16_dick.py:small", {"model.width": 0.125}),
            Spec("resnet9", "configs/resnet9.py:small"),
        ),
        "full": (
            *(Spec(f"custom_cnn_{v}", f"configs/custom_cnn.py:{v}") for v in ("v1", "v2", "v3")),
            *(
                Spec(name, config, MAPS if name == "alexnet" else {})
                for name, config in NETWORKS.items()
            ),
            *(Spec(f"{name}_official", config, CLEAN) for name, config in NETWORKS.items()),
            Spec("alexnet_as_printed", "configs/alexnet.py:as_printed", MAPS),
            Spec("vgg16_as_printed", "configs/vgg16_dick.py:as_printed"),
            Spec("resnet9_as_printed", "configs/resnet9_as_printed.py"),
        ),
    },
)

if __name__ == "__main__":
    raise SystemExit(command(EXPERIMENT))

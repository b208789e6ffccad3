"""Which of our pictures stands beside which figure of a paper, as data, in the papers' order."""

from typing import NamedTuple


class PaperFigure(NamedTuple):
    """One figure of a paper, or with `number` "" one of our own.

    Attributes:
      number: as the paper has it, such as "Figure 5".
      shows: what is to be seen on it.
      pictures: ours, by path below the experiment's folder; `{NAME}` is the first seed's run of
        that line of the list.
      note: what differs in ours, or why there is none.
    """

    number: str
    shows: str
    pictures: tuple[str, ...] = ()
    note: str = ""


def _curves(run: str) -> tuple[str, ...]:
    return tuple(f"figures/curve-{{{run}}}-{quantity}.png" for quantity in ("loss", "accuracy"))


def _confusions(*runs: str) -> tuple[str, ...]:
    return tuple(f"figures/confusion-{{{run}}}-clean.png" for run in runs)


NETWORK = "An architecture: its layers are listed under “Networks”."
NOISE = PaperFigure(
    "", "accuracy against the strength of the noise, over the seeds", ("figures/noise.png",)
)

FIGURES: dict[str, tuple[PaperFigure, ...]] = {
    "li2023": (
        PaperFigure("Figures 1 to 4", "the VGG, the DAE and the hybrids A and B", note=NETWORK),
        PaperFigure(
            "Figure 5", "a row of noisy faces, and the row that the DAE makes of them",
            ("figures/samples.png",),
            "Ours has the clean faces beneath, and rows of the hybrids' DAEs.",
        ),
        PaperFigure("Figure 6", "the VGG's loss and accuracy by epoch", _curves("vgg")),
        PaperFigure("Figure 7", "hybrid A's loss and accuracy by epoch", _curves("A")),
        PaperFigure("Figure 8", "hybrid B's loss and accuracy by epoch", _curves("B")),
        NOISE,
    ),
    "bokanyi2021": (
        PaperFigure("Figure 1", "the deep network's confusion matrix", _confusions("deep")),
        PaperFigure("Figure 2", "the deep network's learning curves", _curves("deep")),
        PaperFigure("Figure 3", "the fully convolutional network's confusion matrix",
                    _confusions("fcn")),
        PaperFigure("Figure 4", "the fully convolutional network's learning curves",
                    _curves("fcn")),
        PaperFigure("Figure 5", "the confusion matrix of the simple mean of all models",
                    ("ensemble/figures/confusion.png",),
                    "The paper's has eight of its nine models, ours all nine."),
        PaperFigure("", "the ensembles' accuracy by their number of members",
                    ("ensemble/figures/sizes.png",)),
        PaperFigure("", "how often two members answer differently",
                    ("ensemble/figures/disagreement.png",)),
    ),
    "dong2021": (
        PaperFigure("Figures 1 and 3", "the VGG16, and its pools replaced", note=NETWORK),
        PaperFigure("Figure 2", "what a pool keeps of a window", note="A drawing without data."),
        PaperFigure(
            "Figure 4", "the confusion matrices of the VGG16 and of the improved network on RAF-DB",
            _confusions("raf_db_vgg16", "raf_db_lip"),
            "RAF-DB is licensed to each user: these are trained where it is prepared.",
        ),
        PaperFigure(
            "Figure 4", "the confusion matrices of both networks, on FER2013 instead",
            _confusions("vgg16", "lip_vgg16"), "FER2013 stands in for the paper's datasets.",
        ),
        PaperFigure(
            "Figure 4", "the confusion matrices of both networks on SFEW",
            note="SFEW is licensed to each user, and this experiment has no run on it.",
        ),
        PaperFigure("", "the VGG16's loss and accuracy by epoch", _curves("vgg16")),
        PaperFigure("", "the improved network's loss and accuracy by epoch", _curves("lip_vgg16")),
    ),
    "dick2024": (
        PaperFigure("Figures 1 to 3", "AlexNet, VGG-16 and the ResNet", note=NETWORK),
        PaperFigure("Figure 4.1", "the first version of the custom CNN by epoch",
                    _curves("custom_cnn_v1")),
        PaperFigure("Figure 4.2", "its third version by epoch", _curves("custom_cnn_v3")),
        PaperFigure("Figure 4.3", "its fourth version by epoch", _curves("custom_cnn")),
        PaperFigure(
            "Figure 5", "AlexNet's feature maps after the first and the second convolution",
            ("figures/feature_maps-{alexnet_as_printed}.png", "figures/feature_maps-{alexnet}.png"),
            "A map that is the same for every pixel is crossed out. The paper's is black after the "
            "second convolution.",
        ),
        PaperFigure("Figure 6", "the VGG-16's loss by epoch", _curves("vgg16")[:1]),
        PaperFigure("Figure 7", "the ResNet's accuracy of each class",
                    ("figures/class-accuracy-{resnet9}.png",)),
        PaperFigure("Figure 8", "the ResNet's training loss and validation accuracy",
                    _curves("resnet9")),
        PaperFigure("", "the four networks' confusion matrices",
                    _confusions("custom_cnn", "alexnet_as_printed", "vgg16", "resnet9")),
    ),
    "gao2021": (
        PaperFigure("Figure 1", "how many faces of each class there are",
                    ("figures/all-classes.png",)),
        PaperFigure(
            "Figure 2", "faces of the dataset", ("figures/faces.png",),
            "Ours are the first training faces of each class; the paper's nine are chosen.",
        ),
        PaperFigure(
            "Figure 3", "pictures with errors", ("figures/odd-faces.png",),
            "Which pictures the paper shows is not known. Ours are found by rule among all of the "
            "dataset: one grey level everywhere, or the same pixels under several labels.",
        ),
        PaperFigure("Figures 4 to 6", "the attention, the network and its block", note=NETWORK),
        PaperFigure("Figures 7 and 8", "loss and accuracy by epoch, on the paper's kind of split",
                    _curves("drawn")),
        PaperFigure("Figure 9", "the confusion matrix on the test faces", _confusions("drawn")),
        PaperFigure(
            "Figure 10", "what the network says of test faces", ("figures/examples-{drawn}.png",),
            "The paper chose six; ours are the first that it named right and wrong of each class.",
        ),
        PaperFigure("", "loss and accuracy by epoch, official split", _curves("se_separable")),
        PaperFigure("", "the confusion matrix, official split", _confusions("se_separable")),
    ),
    "hybrid_ablation": (
        NOISE,
        PaperFigure("", "noisy faces, and what each DAE makes of them", ("figures/samples.png",),
                    "A DAE that no pixel loss trains need not give back a face."),
        *(
            PaperFigure("", f"loss and accuracy of {run} by epoch", _curves(run))
            for run in ("vgg", "vgg_noisy", "A", "A_noisy", "B", "finetune", "multitask")
        ),
    ),
}

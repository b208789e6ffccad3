"""Numbers that the papers print, each with its place, to stand beside ours."""

LI_2023 = "Li 2023"

# Li 2023, sections 3.2-3.4, test of 7,178 images: (loss, accuracy) by input.
LI_TABLES = {
    "vgg": {
        "place": "Table 2",
        "name": "stand-alone VGG",
        "clean": (1.0874, 0.5878),
        "distorted": (3.2104, 0.1670),
        "curves": "Figure 6",
        "stopped": 147,
    },
    "A": {
        "place": "Table 3",
        "name": "hybrid A (pretrained DAE, frozen)",
        "clean": (1.0838, 0.5874),
        "distorted": (1.1033, 0.5773),
        "curves": "Figure 7",
        "stopped": 150,
    },
    "B": {
        "place": "Table 4",
        "name": "hybrid B (joint, from scratch)",
        "clean": (1.8136, 0.2471),
        "distorted": (1.8136, 0.2471),
        "curves": "Figure 8",
        "stopped": 49,
    },
}

# Section 3.2: binary cross-entropy in nats a pixel at the end of the DAE's training.
LI_DAE_BCE = 0.5528

# The cross-entropy a perfect reconstruction of FER2013's Training images would have: targets are
# grey levels, not bits, so it is not 0. Computed from the dataset; it holds for no other images.
FER2013_TRAINING_ENTROPY = 0.5442

"""Pure array functions without parameters: distortion, augmentation, pooling, resampling."""

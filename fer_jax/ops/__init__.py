"""Pure array functions without parameters: pooling, convolution, resampling, distortion, more."""

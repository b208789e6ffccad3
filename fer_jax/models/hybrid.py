"""The hybrid: a denoising autoencoder in front of a classifier."""

import flax.linen as nn
import jax


class Hybrid(nn.Module):
    """Denoise, then classify (Li 2023, section 2.2.3).

    The variants differ in how they are trained, not in what they compute: `A` freezes a pretrained
    DAE, `B` trains both from scratch by the classifier's loss, `finetune` trains both from a
    pretrained DAE, `multitask` adds the reconstruction loss. The configs say that as data.

    Attributes:
      dae: module whose output dict has `recon`; its parameters are `params["dae"]`.
      vgg: module that classifies the reconstruction; its parameters are `params["vgg"]`.
      freeze_dae: run the DAE as in testing and let no gradient into it. The optimizer's rules
        keep its parameters still; this saves the backward pass.
    """

    dae: nn.Module
    vgg: nn.Module
    freeze_dae: bool = False

    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has the classifier's entries, and `recon` and `recon_logits` `[b, h, w, c]`.
        """
        denoised = self.dae(x, train=train and not self.freeze_dae)
        if self.freeze_dae:
            denoised = jax.lax.stop_gradient(denoised)
        recon_logits, recon = denoised[0], denoised[1]["recon"]
        logits, out = self.vgg(recon, train=train)
        return logits, {**out, "recon": recon, "recon_logits": recon_logits}

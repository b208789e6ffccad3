"""The comparison of steps: both sides agree, a side that does not is named, the result is whole."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")

from benchmarks import step, step_ours, step_torch  # noqa: E402
from fer_jax.arguments import set_fields  # noqa: E402
from fer_jax.configuring import load_config  # noqa: E402
from fer_jax.errors import UserError  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")


class Here:
    """A side in this process, called as a worker is."""

    def __init__(self, side):
        self.side = side

    def __call__(self, command, **options):
        return getattr(self.side, command)(**options)


def two_sides(net, mode, *fields):
    flags, fields = step._parse_flags([f"--net={net}", f"--mode={mode}", "--batch=4", *fields])
    config = set_fields(load_config(f"configs/{net}.py"), fields)
    spec, arrays = step.describe_work(config, flags)
    spec = json.loads(json.dumps(spec))
    ours, theirs = step_ours.Side(spec, arrays), step_torch.Side(spec, arrays, "channels_last")
    return Here(ours), Here(theirs), spec, arrays


@pytest.mark.parametrize(
    "net, mode, fields",
    [
        ("dae", "train", ["--config.model.filters=(4, 4)"]),
        ("custom_cnn", "infer", ["--width=0.2"]),
        ("custom_cnn", "train", ["--width=0.2"]),
    ],
)
def test_both_sides_agree(tmp_path, net, mode, fields):
    ours, theirs, spec, arrays = two_sides(net, mode, *fields)
    found = step.check(ours, theirs, tmp_path, spec, arrays)
    assert set(found) == ({"logits"} if mode == "infer" else {"loss", "update", "largest"})
    # A step was taken, and it is timed: positive seconds of both clocks.
    ((seconds, processor),) = ours("run", count=1)
    assert seconds > 0 and processor > 0


def test_another_network_is_refused(tmp_path):
    ours, theirs, spec, arrays = two_sides("custom_cnn", "train", "--width=0.2")
    weights = next(name for name in theirs.side.arrays if name.endswith("head/kernel"))
    theirs.side.arrays = {**arrays, weights: arrays[weights] * np.float32(1.5)}
    with pytest.raises(UserError, match="do not compute the same: they differ in loss"):
        step.check(ours, theirs, tmp_path, spec, arrays)


def test_a_network_without_a_twin_is_refused():
    flags, _ = step._parse_flags(["--net=vgg_dae"])
    config = load_config("configs/vgg16.py")
    with pytest.raises(UserError, match="has no PyTorch twin"):
        step.compare(config, flags)


def test_times_are_summarised_by_their_medians():
    summary = step.summarise([(0.1, 0.2), (0.4, 0.3), (0.2, 0.1)], 5, 8)
    # The median second is .2, so 8 images take 1/40 s each; of the processor's it is .2 too.
    assert summary == {
        "images_per_second": pytest.approx(40), "median_ms": pytest.approx(200),
        "least_ms": pytest.approx(100), "processor_ms": pytest.approx(200),
        "peak_memory_bytes": 5,
    }

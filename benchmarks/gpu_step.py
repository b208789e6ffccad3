"""One row of `benchmarks.gpu`: a network at a batch size, timed in this process."""

import time
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.roofline import PEAKS, count_operations, floor_of
from fer_jax import metrics, models, train
from fer_jax.configuring import load_config
from fer_jax.dispatch import choose_steps, make_dispatch
from fer_jax.optim import make_tx
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.sharding import make_mesh, replicated
from fer_jax.state import init_state
from fer_jax.steps import Batch

SIDE = 48
NETS = {
    "vgg": "configs/vgg.py",
    "dae": "configs/dae.py",
    "hybrid": "configs/vgg_dae.py:A",
    "alizadeh_shallow": "configs/alizadeh_shallow.py",
    "alizadeh_deep": "configs/alizadeh_deep.py",
    "agrawal_fcn": "configs/agrawal_fcn.py",
    "custom_cnn": "configs/custom_cnn.py:v1",
    "alexnet": "configs/alexnet.py",
    "vgg16_dick": "configs/vgg16_dick.py",
    "resnet9": "configs/resnet9.py",
    "vgg16": "configs/vgg16.py",
    "lip_vgg16": "configs/lip_vgg16.py",
    "se_separable": "configs/se_separable.py",
}


def configure(net: str, *, batch: int, width: float, dtype: str) -> Any:
    """Return a network's own config, half of each batch distorted, at a batch size and dtype."""
    config = load_config(NETS[net])
    config.batch_size = batch
    config.model.dtype = dtype
    if width and "width" in config.model:
        config.model.width = width
    config.train_distortion = config.train_distortion or 0.5
    return config


def measure(
    net: str, *, batch: int, width: float, steps: int, repeats: int, faces: int, dtype: str,
    began: float,
) -> dict[str, Any]:
    """Compile and time a network's training; give what the row holds.

    Args:
      width: of the network; 0 is its config's.
      steps: of a dispatch; 0 is what the backend does well.
      faces: noise u8 that stands for a dataset on the device.
      began: when the process was started, as `time.time()`.
    """
    config = configure(net, batch=batch, width=width, dtype=dtype)
    mesh = make_mesh(1)
    device = mesh.devices.flat[0]
    steps = choose_steps(mesh, steps)
    model = models.build(config.model)
    tx = make_tx(config.optim, steps_per_epoch=max(faces // batch, 1), epochs=config.epochs)
    shape = input_shape((SIDE, SIDE, 1), preprocess=read_preprocess(config))
    initialise = partial(init_state, model=model, tx=tx, image_shape=shape)
    state = jax.jit(initialise, out_shardings=replicated(mesh))(jax.random.key(0))
    step = train.make_step(config, model, tx)
    dispatch = make_dispatch(step, mesh, steps=steps)
    data, indices = _draw(faces, batch, steps, mesh)
    scale = jax.device_put(np.float32(1), replicated(mesh))
    totals = jax.device_put(metrics.empty(config.model.classes), replicated(mesh))
    sizes = {
        "parameters": _bytes(state.params), "moments": _bytes(state.opt_state),
        "statistics": _bytes(state.batch_stats), "dataset": _bytes(data),
    }
    work = count_operations(step, state, _batch(data, batch), scale)
    peak = PEAKS.get(device.device_kind)
    least = floor_of(
        work, peak=peak, dtype=dtype,
        state_bytes=sizes["parameters"] + sizes["moments"] + sizes["statistics"],
    )
    start = time.time()
    run = dispatch.train.lower(state, totals, data, indices, scale).compile()
    compile_seconds = time.time() - start
    state, totals = jax.block_until_ready(run(state, totals, data, indices, scale))
    first = time.time() - began
    fixed = _compile_fixed(config, model, tx, state, totals, _batch(data, batch), scale, steps)
    timed = {"train": [], "fixed": []}
    for _ in range(repeats):  # in turns, so that both see the same machine
        start = time.perf_counter()
        state, totals = jax.block_until_ready(run(state, totals, data, indices, scale))
        timed["train"].append((time.perf_counter() - start) / steps)
        start = time.perf_counter()
        state, totals = jax.block_until_ready(
            fixed(state, totals, _batch(data, batch), scale)
        )
        timed["fixed"].append((time.perf_counter() - start) / steps)
    seconds, fixed_seconds = median(timed["train"]), median(timed["fixed"])
    return {
        "net": net, "batch": batch, "width": width, "dtype": dtype, "steps": steps,
        "repeats": repeats, "faces": faces, "device_kind": device.device_kind,
        "peak_source": peak.source if peak else None,
        "flops": least.flops, "bytes": least.bytes, "floor_seconds": least.seconds,
        "xla_flops": _xla_flops(run),
        "step_seconds": seconds, "fixed_step_seconds": fixed_seconds,
        "pipeline_overhead": seconds / fixed_seconds - 1,
        "images_per_second": batch / seconds,
        "share_of_floor": least.seconds / seconds if least.seconds else None,
        "share_of_peak": least.flops / seconds / getattr(peak, dtype) if peak else None,
        "compile_seconds": compile_seconds, "first_step_seconds": first,
        **_memory(run, sizes, device),
    }


def _draw(faces: int, batch: int, steps: int, mesh: Any) -> tuple[Batch, jax.Array]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (faces, SIDE, SIDE, 1), np.uint8)
    labels = generator.integers(0, 7, faces).astype(np.int32)
    indices = generator.integers(0, faces, (steps, batch)).astype(np.int32)
    return jax.device_put((Batch(images, labels), indices), replicated(mesh))


def _batch(data: Batch, batch: int) -> Batch:
    # As often as needed, where fewer faces are there than a batch takes.
    return jax.tree.map(lambda array: jnp.resize(array, (batch, *array.shape[1:])), data)


def _compile_fixed(config, model, tx, state, totals, batch, scale, steps) -> Any:
    """Compile as many steps on one batch, neither augmented nor distorted nor looked up."""
    plain = config.copy_and_resolve_references()
    off = {name: type(value)() for name, value in plain.augmentation.items()}
    plain.augmentation.update({**off, "rotate": (0.0, 0.0)})
    plain.train_distortion = 0.0
    step = train.make_step(plain, model, tx)

    def many(state, totals, batch, scale):
        def one(carry, _):
            after, confusion = step(carry[0], batch, scale)
            return (after, carry[1] + confusion), None

        if steps == 1:
            return one((state, totals), None)[0]
        return jax.lax.scan(one, (state, totals), length=steps)[0]

    return jax.jit(many, donate_argnums=(0, 1)).lower(state, totals, batch, scale).compile()


def _memory(run: Any, sizes: dict[str, int], device: Any) -> dict[str, Any]:
    """Give the program's memory by XLA's own analysis, and what the device reports."""
    analysis = run.memory_analysis()
    activations = getattr(analysis, "temp_size_in_bytes", None)
    known = None if activations is None else sum(sizes.values()) + activations
    reported = device.memory_stats() or {}
    return {
        **{f"{name}_bytes": size for name, size in sizes.items()},
        "activations_bytes": activations,
        "allowed_bytes": None if known is None else round(1.2 * known),
        "device_peak_bytes": reported.get("peak_bytes_in_use"),
    }


def _xla_flops(run: Any) -> float | None:
    analysis = run.cost_analysis()
    analysis = analysis[0] if isinstance(analysis, list) else analysis or {}
    return analysis.get("flops")


def _bytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))

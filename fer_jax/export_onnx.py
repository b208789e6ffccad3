"""Write a trained network as ONNX: its program in JAX, operation by operation.

The program is what `jax.make_jaxpr` gives of the same function that a Recognizer calls, so that
every network, its preprocessing and its views come out alike, without a second description of any.
What does not depend on the faces is computed here; what is left are some thirty kinds of operation.
jax2onnx 0.17, which does the same for any JAX program, cannot be installed beside this package: it
wants orbax-checkpoint below 0.11.37 and brings netron, equinox, dm-pix and huggingface-hub along.
"""

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax.errors import UserError
from fer_jax.trained import Trained, answer_of

OPSET, IR = 18, 10
INPUT, OUTPUT = "images", "probabilities"
# The batch's size while the program is traced: a prime that no layer has. Where it stands, any
# number of faces may be.
BATCH = 10_007

# Operations that ONNX has by one name. Like JAX's they take arrays of one shape, or scalars.
SAME = {
    "abs": "Abs", "add": "Add", "and": "And", "ceil": "Ceil", "div": "Div", "eq": "Equal",
    "erf": "Erf", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual", "gt": "Greater",
    "le": "LessOrEqual", "log": "Log", "logistic": "Sigmoid", "lt": "Less", "max": "Max",
    "min": "Min", "mul": "Mul", "neg": "Neg", "not": "Not", "or": "Or", "sqrt": "Sqrt",
    "sub": "Sub", "tanh": "Tanh",
}
COMPUTED = {
    "add": np.add, "div": np.divide, "max": np.maximum, "mul": np.multiply,
    "rsqrt": lambda x: np.float32(1) / np.sqrt(x), "sub": np.subtract,
}
IDENTITY = ("copy", "copy_p", "optimization_barrier", "stop_gradient")
# Where an operation holds a program of its own.
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def to_onnx(trained: Trained, *, card: str) -> bytes:
    """Give an ONNX model: `images` u8 `[n, h, w, c]` to `probabilities` f32 `[n, k]`, any n.

    Its metadata hold `labels` as JSON and `card`, the model card's text.

    Raises:
      UserError: the package onnx is not installed, or the network has an operation that is not
        translated; it is named.
    """
    try:
        onnx = import_module("onnx")
    except ImportError:
        raise UserError(
            "--format=onnx needs the package onnx: pip install 'fer_jax[export]'"
        ) from None
    variables = jax.tree.map(np.asarray, trained.variables)
    if any(size % BATCH == 0 for leaf in jax.tree.leaves(variables) for size in leaf.shape):
        raise UserError(f"a layer has {BATCH:,} units or a multiple, which marks the batch here")
    faces = jax.ShapeDtypeStruct((BATCH, *trained.image_shape), jnp.uint8)
    closed = jax.make_jaxpr(partial(answer_of(trained), variables))(faces)
    graph = Graph(onnx)
    (probabilities,) = graph.run(closed.jaxpr, closed.consts, [INPUT])
    graph.node("Identity", [probabilities], output=OUTPUT)
    types, make = onnx.TensorProto, onnx.helper
    described = make.make_graph(
        graph.nodes, "fer_jax",
        [make.make_tensor_value_info(INPUT, types.UINT8, ["n", *trained.image_shape])],
        [make.make_tensor_value_info(OUTPUT, types.FLOAT, ["n", len(trained.labels)])],
        initializer=graph.initializers,
    )
    model = make.make_model(
        described, opset_imports=[make.make_opsetid("", OPSET)], producer_name="fer_jax",
        ir_version=IR,
    )
    make.set_model_props(model, {"labels": json.dumps(trained.labels), "card": card})
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Graph:
    """The nodes and constants of an ONNX graph as it grows.

    A value is the name of a tensor, or an array: what does not depend on the faces. An array may
    have 1 where the program has the batch: ONNX's operations stretch it.
    """

    def __init__(self, onnx: Any):
        """Begin an empty graph."""
        self.onnx, self.nodes, self.initializers = onnx, [], []
        self.names: dict[tuple, str] = {}

    def run(self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Add a program's operations; give its outputs' values.

        Raises:
          UserError: an operation is not translated.
        """
        values = dict(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
        values |= dict(zip(jaxpr.invars, inputs, strict=True))

        def read(atom):
            return np.asarray(atom.val) if hasattr(atom, "val") else values[atom]

        for equation in _needed(jaxpr):
            given = [read(atom) for atom in equation.invars]
            made = self._translate(equation, given)
            values |= dict(zip(equation.outvars, made, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def node(self, kind: str, inputs: Sequence[Any], *, output: str = "", **attributes: Any) -> str:
        """Add a node; give its output's name."""
        output = output or f"{kind}_{len(self.nodes)}"
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(self.onnx.helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        """Add an array, once however often it is used; give its name."""
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.names:
            self.names[key] = f"constant_{len(self.names)}"
            self.initializers.append(
                self.onnx.numpy_helper.from_array(array, self.names[key])
            )
        return self.names[key]

    def _translate(self, equation: Any, given: list[Any]) -> list[Any]:
        name, params = equation.primitive.name, equation.params
        inner = next((params[key] for key in INNER if key in params), None)
        if inner is not None:
            return self.run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), given)
        if name in IDENTITY:
            return given
        if name == "platform_index":
            # Of forms that are quick on one platform each, the one that is for all the others.
            return [np.int32(next(i for i, one in enumerate(params["platforms"]) if one is None))]
        if name == "cond" and not isinstance(given[0], str):
            branch = params["branches"][int(given[0])]
            return self.run(branch.jaxpr, branch.consts, given[1:])
        if not any(isinstance(value, str) for value in given):
            return _compute(equation, given)
        if name in SAME:
            return [self.node(SAME[name], given)]
        if name not in RULES:
            raise UserError(
                f"--format=onnx does not know the operation {name!r}, which this network has; "
                "choose --format=stablehlo, or add the operation to fer_jax/export_onnx.py"
            )
        return [RULES[name](self, given, params, equation)]


def _needed(jaxpr: Any) -> list[Any]:
    """Leave out what no output depends on, such as what only a gradient would read."""
    wanted, kept = {atom for atom in jaxpr.outvars if not hasattr(atom, "val")}, []
    for equation in reversed(jaxpr.eqns):
        if wanted.intersection(equation.outvars):
            kept.append(equation)
            wanted.update(atom for atom in equation.invars if not hasattr(atom, "val"))
    return kept[::-1]


def _compute(equation: Any, given: list[Any]) -> list[Any]:
    """Compute what does not depend on the faces, with 1 for the batch."""
    name = equation.primitive.name
    # The common ones by NumPy: JAX compiles an operation anew for each shape.
    if name in COMPUTED and all(value.dtype == np.float32 for value in given):
        return [COMPUTED[name](*given)]
    if name == "reshape":
        return [given[0].reshape(_single(equation.params["new_sizes"]))]
    if name == "broadcast_in_dim":
        shape, spread = _single(equation.params["shape"]), [1] * len(equation.params["shape"])
        for size, place in zip(given[0].shape, equation.params["broadcast_dimensions"]):
            spread[place] = size
        return [np.ascontiguousarray(np.broadcast_to(given[0].reshape(spread), shape))]
    params = {
        name: _single(value) if name in ("shape", "new_sizes") else value
        for name, value in equation.params.items()
    }
    made = equation.primitive.bind(*map(jnp.asarray, given), **params)
    return [np.asarray(one) for one in (made if equation.primitive.multiple_results else [made])]


def _single(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size // BATCH if size and size % BATCH == 0 else size for size in shape)


def _reshape(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    shape = equation.outvars[0].aval.shape
    batched = [size % BATCH == 0 and size > 0 for size in shape]
    if sum(batched) > 1:
        raise UserError(f"--format=onnx cannot express the shape {shape}: two batches in it")
    sizes = [-1 if batch else size for size, batch in zip(shape, batched, strict=True)]
    return graph.node("Reshape", [given[0], np.array(sizes, np.int64)])


def _broadcast(graph: Graph, given: list[Any], params: Any, equation: Any) -> Any:
    shape, places = params["shape"], params["broadcast_dimensions"]
    old = equation.invars[0].aval.shape
    spread = [1] * len(shape)
    for size, place in zip(old, places, strict=True):
        spread[place] = -1 if size % BATCH == 0 and size else size
    value = given[0]
    if len(old) != len(shape):
        value = graph.node("Reshape", [value, np.array(spread, np.int64)])
    # The batch is there already, or 1 does: Expand stretches no size by 1.
    wanted = [1 if size % BATCH == 0 and size else size for size in shape]
    if any(new > 1 and had == 1 for new, had in zip(wanted, spread, strict=True)):
        value = graph.node("Expand", [value, np.array(wanted, np.int64)])
    return value


def _slice(graph: Graph, given: list[Any], params: Any, equation: Any) -> Any:
    shape = equation.invars[0].aval.shape
    steps = params["strides"] or (1,) * len(shape)
    cut = [
        (start, limit, axis, step)
        for axis, (start, limit, step, size) in enumerate(
            zip(params["start_indices"], params["limit_indices"], steps, shape, strict=True)
        )
        if (start, limit, step) != (0, size, 1)
    ]
    columns = [np.array(column, np.int64) for column in zip(*cut, strict=True)]
    return graph.node("Slice", [given[0], *columns]) if cut else given[0]


def _pad(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    low, high, inner = zip(*params["padding_config"], strict=True)
    if any(inner) or min(*low, *high) < 0:
        raise UserError("--format=onnx does not know a padding that cuts or spreads")
    return graph.node("Pad", [given[0], np.array([*low, *high], np.int64), given[1]])


def _reverse(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    axes = np.array(params["dimensions"], np.int64)
    ends = np.full_like(axes, np.iinfo(np.int64).min)
    return graph.node("Slice", [given[0], np.full_like(axes, -1), ends, axes, -np.ones_like(axes)])


def _concatenate(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    return graph.node("Concat", given, axis=params["dimension"])


def _reduce(kind: str) -> Callable[..., str]:
    def rule(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
        axes = np.array(params["axes"], np.int64)
        return graph.node(kind, [given[0], axes], keepdims=0)

    return rule


def _convolve(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    if math.prod(params["lhs_dilation"]) != 1 or params["batch_group_count"] != 1:
        raise UserError("--format=onnx does not know a transposed convolution")
    numbers = params["dimension_numbers"]
    faces = graph.node("Transpose", given[:1], perm=numbers.lhs_spec)
    kernel = given[1]
    if isinstance(kernel, str):
        kernel = graph.node("Transpose", [kernel], perm=numbers.rhs_spec)
    else:
        kernel = kernel.transpose(numbers.rhs_spec)
    low, high = zip(*params["padding"], strict=True)
    made = graph.node(
        "Conv", [faces, kernel], strides=params["window_strides"], pads=(*low, *high),
        dilations=params["rhs_dilation"], group=params["feature_group_count"],
    )
    return graph.node("Transpose", [made], perm=np.argsort(numbers.out_spec).tolist())


def _pool(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    window, rank = params["window_dimensions"], len(params["window_dimensions"])
    if window[0] != 1 or window[-1] != 1 or math.prod(params["base_dilation"]) != 1:
        raise UserError(f"--format=onnx does not know a maximum over windows of {window}")
    inside = slice(1, rank - 1)
    first = (0, rank - 1, *range(1, rank - 1))
    low, high = zip(*params["padding"][inside], strict=True)
    made = graph.node(
        "MaxPool", [graph.node("Transpose", given[:1], perm=first)], kernel_shape=window[inside],
        strides=params["window_strides"][inside], pads=(*low, *high),
        dilations=params["window_dilation"][inside],
    )
    return graph.node("Transpose", [made], perm=np.argsort(first).tolist())


def _dot(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    (left, right), (left_batch, right_batch) = params["dimension_numbers"]
    ranks = [atom.aval.ndim for atom in equation.invars]
    if (tuple(left), tuple(right)) == ((ranks[0] - 1,), (0,)) and not left_batch and ranks[1] == 2:
        return graph.node("MatMul", given)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    one, two = ([""] * rank for rank in ranks)
    for i, j in (*zip(left_batch, right_batch), *zip(left, right)):
        one[i] = two[j] = next(letters)
    one = [letter or next(letters) for letter in one]
    two = [letter or next(letters) for letter in two]
    made = [one[i] for i in left_batch]
    made += [c for i, c in enumerate(one) if i not in (*left, *left_batch)]
    made += [c for j, c in enumerate(two) if j not in (*right, *right_batch)]
    return graph.node(
        "Einsum", given, equation=f"{''.join(one)},{''.join(two)}->{''.join(made)}"
    )


def _cast(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    kind = graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(params["new_dtype"]))
    return graph.node("Cast", given, to=kind)


def _power(graph: Graph, given: list[Any], params: Any, equation: Any) -> str:
    return graph.node("Pow", [given[0], np.float32(params["y"])])


# Of (graph, inputs' values, the operation's parameters, the equation) to the output's value.
RULES: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "clamp": lambda g, given, *_: g.node("Min", [g.node("Max", [given[1], given[0]]), given[2]]),
    "concatenate": _concatenate,
    "conv_general_dilated": _convolve,
    "convert_element_type": _cast,
    "dot_general": _dot,
    "expand_dims": _reshape,
    "integer_pow": _power,
    "ne": lambda g, given, *_: g.node("Not", [g.node("Equal", given)]),
    "pad": _pad,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_window_max": _pool,
    "reshape": _reshape,
    "rev": _reverse,
    "rsqrt": lambda g, given, *_: g.node("Reciprocal", [g.node("Sqrt", given)]),
    "select_n": lambda g, given, *_: g.node("Where", [given[0], given[2], given[1]]),
    "slice": _slice,
    "square": lambda g, given, *_: g.node("Mul", [given[0], given[0]]),
    "squeeze": _reshape,
    "transpose": lambda g, given, params, *_: g.node(
        "Transpose", given, perm=params["permutation"]
    ),
}

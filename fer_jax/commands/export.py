"""Flags of `python -m fer_jax.export`, and where it writes."""

from pathlib import Path
from typing import Any

from fer_jax.arguments import Parser
from fer_jax.errors import UsageError, UserError, run_command, suggest

FORMATS = ("stablehlo", "onnx", "safetensors")  # those of export.FORMATS
DTYPES = ("float32", "float16")  # those of model_file.DTYPES


@run_command
def main(argv: list[str] | None = None) -> None:
    """Write a finished run as one file that takes faces as they are and gives probabilities.

    Preprocessing, labels and model card are in it; it runs without fer_jax (docs/export.md).
    """
    arguments = _parse(argv)
    from fer_jax.export import FORMATS as makers
    from fer_jax.export import write_model
    from fer_jax.trained import load_trained

    trained = load_trained(arguments.workdir)
    out = arguments.out
    if out is None:
        name = trained.card.get("run") or arguments.workdir.resolve().name
        out = Path(name + makers[arguments.format].suffix)
    if out.is_dir():
        raise UserError(f"--out={out} is a folder; name a file in it")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_model(out, trained, format=arguments.format, dtype=arguments.dtype)
    print(f"{out}  {out.stat().st_size:,} bytes")


def _parse(argv: list[str] | None) -> Any:
    parser = Parser("fer_jax.export", main.__doc__)
    parser.add_argument(
        "workdir", type=Path, metavar="WORKDIR", help="of a finished run, or a .safetensors of one"
    )
    parser.add_argument("--format", required=True, metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: the run's name, in this folder"
    )
    parser.add_argument(
        "--dtype", default="float32", metavar="NAME",
        help="of the parameters in safetensors: float32 (default) or float16",
    )
    arguments = parser.parse_args(argv)
    for name, known in (("format", FORMATS), ("dtype", DTYPES)):
        if (value := getattr(arguments, name)) not in known:
            raise UsageError(f"--{name}={value}: unknown. {suggest(value, known)}")
    if arguments.dtype != "float32" and arguments.format != "safetensors":
        raise UsageError(f"--dtype is of safetensors; {arguments.format} keeps float32")
    return arguments

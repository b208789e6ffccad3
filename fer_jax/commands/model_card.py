"""Flags of `python -m fer_jax.model_card`, and where it writes."""

from pathlib import Path

from fer_jax import files
from fer_jax.arguments import Parser
from fer_jax.errors import run_command


@run_command
def main(argv: list[str] | None = None) -> None:
    """Print the model card of a finished run or an exported .safetensors as Markdown."""
    parser = Parser("fer_jax.model_card", main.__doc__)
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a finished run's workdir, or a .safetensors"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write it there instead")
    arguments = parser.parse_args(argv)
    from fer_jax.report.model_card import write_card
    from fer_jax.trained import load_trained

    text = write_card(load_trained(arguments.model).card)
    if arguments.out is None:
        print(text, end="")
        return
    files.write_text(arguments.out, text)
    print(arguments.out)

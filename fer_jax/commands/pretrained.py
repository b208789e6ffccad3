"""Flags of `python -m fer_jax.pretrained`, and what it prints."""

from pathlib import Path

from fer_jax.arguments import Parser
from fer_jax.errors import run_command


@run_command
def main(argv: list[str] | None = None) -> None:
    """Show what a file of pretrained weights brings to a config's network; nothing is trained."""
    parser = Parser("fer_jax.pretrained", main.__doc__)
    parser.add_argument("file", metavar="FILE", help="a .pth, .safetensors or .h5 file of weights")
    parser.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]")
    parser.add_argument("--run", metavar="NAME", help="which run of a study")
    arguments = parser.parse_args(argv)
    from rich.console import Console

    from fer_jax import pretrained
    from fer_jax.checks import check_run
    from fer_jax.configuring import load_config
    from fer_jax.summary import choose_run
    from fer_jax.transfer import shapes_of

    reference = arguments.config
    config = choose_run(load_config(reference), arguments.run, reference=reference)
    check_run(config)
    loaded = pretrained.load(arguments.file, shapes_of(config), network=config.model.name)
    title = f"{Path(arguments.file).name}, {loaded.layout}"
    Console().print(pretrained.make_table(loaded, title=title))

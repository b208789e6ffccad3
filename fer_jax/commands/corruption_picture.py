"""Flags of `python -m fer_jax.corruption_picture`."""

from pathlib import Path

from fer_jax.arguments import Parser
from fer_jax.errors import run_command


@run_command
def main(argv: list[str] | None = None) -> None:
    """Draw the corruptions of FER2013-C on a face that is drawn, not photographed."""
    parser = Parser("fer_jax.corruption_picture", main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/fer2013-c.png"), help="the PNG")
    parser.add_argument("--seed", type=int, default=0, help="of the face and its noise")
    arguments = parser.parse_args(argv)
    from fer_jax.corruption_picture import corruption_picture, draw_face
    from fer_jax.report.plots import save_png

    save_png(corruption_picture(draw_face(arguments.seed)), arguments.out)
    print(arguments.out)

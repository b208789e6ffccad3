"""Flags of `python -m fer_jax.feature_maps`, and where it draws."""

from pathlib import Path
from typing import Any

from fer_jax.arguments import Parser
from fer_jax.data.splits import SPLITS
from fer_jax.errors import UsageError, run_command, suggest
from fer_jax.flags import DISTORTIONS, parse_distortion

SCALES = ("map", "layer")  # those of feature_maps.SCALES


@run_command
def main(argv: list[str] | None = None) -> None:
    """Draw a finished run's feature maps and saliency, into its report or a file."""
    arguments = _parse(argv)
    distortion, strength = parse_distortion(arguments.distortion)
    from fer_jax import feature_maps, host
    from fer_jax.finished import add_feature_maps, find_split, load_run
    from fer_jax.preprocess import input_shape, read_preprocess
    from fer_jax.report import print_table, write_feature_maps
    from fer_jax.saliency import list_map_layers

    host.prepare_process()
    if arguments.list:
        run = load_run(arguments.workdir, data_dir=arguments.data_dir).run
        stored = run.splits["train"].images.shape[1:]
        shape = input_shape(stored, preprocess=read_preprocess(run.config))
        title = f"Layers of {arguments.workdir}"
        print_table(feature_maps.make_table(list_map_layers(run.model, shape), title=title))
        return
    wanted = feature_maps.Wanted(
        layers=tuple(arguments.layer) if arguments.layer else None,
        distortion=distortion, strength=strength,
        **{name: getattr(arguments, name)
           for name in ("split", "faces", "maps", "of", "smooth", "scale", "signed")},
    )
    if arguments.out is None:
        add_feature_maps(arguments.workdir, wanted, data_dir=arguments.data_dir)
        print(arguments.workdir / "figures" / "feature_maps.png")
        return
    held, run, weights = load_run(arguments.workdir, data_dir=arguments.data_dir)
    arrays = feature_maps.look(
        run.config, weights, find_split(run, wanted.split), wanted, model=run.model
    )
    write_feature_maps(arguments.workdir, arrays, arguments.out)
    print(arguments.out)


def _parse(argv: list[str] | None) -> Any:
    parser = Parser("fer_jax.feature_maps", main.__doc__)
    parser.add_argument("--workdir", type=Path, required=True, help="of a finished run")
    parser.add_argument(
        "--data_dir", help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)"
    )
    parser.add_argument("--list", action="store_true", help="print the layers and draw nothing")
    parser.add_argument(
        "--layer", action="append", metavar="NAME",
        help="whose maps to show; may be given again (default: the first two convolutions)",
    )
    parser.add_argument("--split", default="validation", help="default: validation")
    parser.add_argument("--faces", type=int, default=4, metavar="N", help="default: 4")
    parser.add_argument(
        "--maps", type=int, default=32, metavar="N",
        help="most maps of a layer, its first ones (default: 32)",
    )
    parser.add_argument(
        "--distortion", default="clean", metavar="NAME:STRENGTH",
        help=f"{', '.join(DISTORTIONS)} with a strength, or clean (default)",
    )
    parser.add_argument(
        "--of", default="predicted", help="whose logit: the predicted (default) or true class'"
    )
    parser.add_argument(
        "--smooth", type=int, default=0, metavar="N",
        help="SmoothGrad over N noisy copies (default: 0, the plain gradient)",
    )
    parser.add_argument(
        "--scale", default="map", help="scale each map (default) or each layer's maps alike"
    )
    parser.add_argument(
        "--signed", action="store_true",
        help="show negative values too (default: 0 and below is black, as after a ReLU)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.png", help="draw there and leave the report as it is"
    )
    arguments = parser.parse_args(argv)
    for name, known in (("split", SPLITS), ("of", ("predicted", "true")), ("scale", SCALES)):
        if (value := getattr(arguments, name)) not in known:
            raise UsageError(f"--{name}={value}: unknown. {suggest(value, known)}")
    for name, least in (("faces", 1), ("maps", 1), ("smooth", 0)):
        if (value := getattr(arguments, name)) < least:
            raise UsageError(f"--{name}={value}: expected at least {least}")
    return arguments

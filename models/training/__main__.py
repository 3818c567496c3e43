"""``python -m signflow.models.training RECIPE [--out FOLDER]``: what `torchrun` starts; else use `signflow train`."""

import argparse
from pathlib import Path

from signflow.models.training import train


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m signflow.models.training", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, help="folder of checkpoint, log, curve, weights [runs/<recipe>]")
    args = parser.parse_args()
    train(args.recipe, args.out)


if __name__ == "__main__":
    main()

"""Options that several subcommands share, and the build that they name."""

import shlex
from dataclasses import asdict
from pathlib import Path

import click

from signflow.hw import boards as known

NETWORK_HELP = "NETWORK is a chain of `signflow networks` (tfc, sfc, lfc, cnv, ...), or a QONNX file."
OWN = "a .npy or .npz file, or a folder of PNG pictures"
PATH = click.Path(path_type=Path)


class Pictures(click.ParamType):
    """A number of images, from ``least`` on, or the file or folder of one's own."""

    name = "number or path"

    def __init__(self, least: int = 1):
        self.least = least

    def convert(self, value, param, ctx) -> int | Path:
        """A whole number is a number, anything else a path."""
        if isinstance(value, Path):
            return value
        try:
            number = int(value)
        except ValueError:
            if Path(value).exists():
                return Path(value)
            self.fail(f"{value!r} is no number of images and no path that exists: give {OWN}", param, ctx)
        if number < self.least:
            self.fail(f"{number} is not in the range x>={self.least}.", param, ctx)
        return number


def images(help: str, default: int | None = None, least: int = 1):
    """The option --images."""
    shown = {"default": default, "show_default": True} if default is not None else {}
    return click.option("--images", type=Pictures(least), metavar="N|PATH", help=f"{help}; or {OWN}.", **shown)


def labels(function):
    """The option --labels."""
    help = "Class numbers of the images of --images PATH: a .npy, .npz or text file."
    return click.option("--labels", type=PATH, help=help)(function)


def check_images(images: int | Path | None, labels: Path | None, split: str | None = None) -> None:
    """Images that are counted have labels of their own; those of a file are no part of a data set. Raises
    click.UsageError.
    """
    if labels is not None and not isinstance(images, Path):
        raise click.UsageError(f"--labels {labels} belongs to images of your own: give --images PATH, {OWN}")
    if split is not None and isinstance(images, Path):
        rule = "leave one of them out, or count the images: --images N"
        raise click.UsageError(f"--split {split} and --images {images} both say which images: {rule}")


def where(function):
    """What names a build: network, board, folder."""
    function = click.option("--out", type=PATH, help="Folder of the products [out/<net>-<board>].")(function)
    return click.argument("network")(board(function))


def board(function):
    """The options --board and --boards."""
    help = "TOML file of boards, in the form of hw/boards.toml: adds to ours, overrides their fields."
    function = click.option("--boards", type=PATH, callback=_own_boards, expose_value=False, is_eager=True, help=help)(
        function
    )
    return click.option("--board", default="pynq-z2", show_default=True, help="Board (see hw/boards.toml).")(function)


def _own_boards(context: click.Context, _, file: Path | None) -> None:
    """Check a file of boards, and remember it for `settings`."""
    if file is not None:
        from signflow.deploy.tools import toolchain

        for own in known.boards(file).values():
            toolchain(own)
        context.meta["boards"] = file


def given(name: str) -> bool:
    """Whether the option ``name`` stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def cluster(what: str):
    """The option --cluster; ``what`` is done there."""
    help = f"{what} on the workers of this Dask scheduler (started with --nthreads 1) instead."
    return click.option("--cluster", default="", metavar="ADDRESS", help=help)


def json_file(function):
    """The option --json."""
    return click.option("--json", "json_file", type=PATH, help="Also write the results to this file.")(function)


def settings(network: str, board: str, *args, **options):
    """Settings of a build, with the board of the user's file where one was given."""
    from signflow.deploy.products import Settings

    own = click.get_current_context().meta.get("boards")
    return Settings(network, board, *args, own_board=asdict(known.board(board, own)) if own else None, **options)


def work(network: str, board: str, out: Path | None) -> Path:
    """The folder of a build."""
    from signflow.deploy.products import Settings

    return out or Settings(network, board).work


def load(network: str, board: str, out: Path | None):
    """The build that was named. Raises FlowError with the command that makes it."""
    from signflow.deploy.accelerator import load as found
    from signflow.deploy.products import SETTINGS, FlowError, settings_of
    from signflow.deploy.steps import ACCELERATOR

    folder = work(network, board, out)
    if (folder / SETTINGS).exists():
        settings_of(folder)  # raises for what is no setting
    if not (folder / ACCELERATOR / "accel.json").exists():
        if not Path(network).exists():
            from signflow.models.networks import network as lookup

            lookup(network)
        words = ["signflow", "build", network, *(["--board", board] if board != "pynq-z2" else [])]
        words += ["--out", str(out)] if out else []
        words += ["--input", "KIND"] if Path(network).exists() else []
        raise FlowError(f"{folder} holds no build: run `{shlex.join(words)}` first")
    return found(folder)


def work_of(network: str, board: str, out: Path | None) -> Path:
    """The folder of the build that was named, or that ``network`` itself is. Raises FlowError."""
    from signflow.deploy.products import FlowError
    from signflow.deploy.steps import ACCELERATOR

    folder = Path(network)
    if not folder.is_dir():
        return load(network, board, out).work
    if not (folder / ACCELERATOR / "accel.json").exists():
        raise FlowError(f"{folder} holds no build: run `signflow build NETWORK --out {shlex.quote(network)}` first")
    return folder

"""The command `signflow`: one subcommand a verb, in flow order. Errors are one message on standard error and a non-zero
exit code.
"""

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console

from signflow.deploy.command.quiet import quiet_libraries
from signflow.deploy.steps import STEPS, since
from signflow.hw import boards as known

quiet_libraries()

PLAIN = {"markup": False, "emoji": False}
"""What is printed holds the user's own text (paths, names), in which "[bold]" or ":x:" mean nothing."""
console, errors = Console(**PLAIN), Console(stderr=True, soft_wrap=True, highlight=False, **PLAIN)
VENDOR_STEP = 3
"""Exit code of `signflow bitstream` when everything is done but what needs the vendor's tool, which is not here."""
NETWORK_HELP = "NETWORK is a chain of `signflow networks` (tfc, sfc, lfc, cnv, ...), or a QONNX file."


EXPECTED = (ValueError, RuntimeError, AssertionError, OSError)
"""What signflow's own errors are. Anything else was not foreseen, and is said to be so."""


class Command(click.Group):
    """Turns every expected error into one message and an exit code: 1 error, 3 all done but the vendor's step, 130
    interrupted.
    """

    def invoke(self, ctx):
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            errors.print("interrupted; finished products are kept")
            sys.exit(130)
        except Exception as e:
            if os.environ.get("SIGNFLOW_TRACEBACK"):
                raise
            if getattr(e, "exit_code", None) == VENDOR_STEP:
                errors.print(str(e))
                sys.exit(VENDOR_STEP)
            errors.print("error:", style="red", end=" ")
            errors.print(f"{type(e).__name__}: {e}")
            if not isinstance(e, EXPECTED):
                words = "this is a fault of signflow: SIGNFLOW_TRACEBACK=1 shows where; please report it with your file"
                errors.print(words)
            sys.exit(1)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Binary neural networks from PyTorch to FPGA dataflow accelerators, proven equal by cycle-accurate simulation.

    Set SIGNFLOW_TRACEBACK=1 to see where in the code an error arose.
    """


def _where(function):
    """Options that name a build: network, board, folder."""
    function = click.option(
        "--out", type=click.Path(path_type=Path), help="Folder of the products [out/<net>-<board>]."
    )(function)
    return click.argument("network")(_board(function))


def _board(function):
    """The options --board and --boards."""
    help = "TOML file of boards, in the form of hw/boards.toml: adds to ours, overrides their fields."
    function = click.option(
        "--boards", type=click.Path(path_type=Path), callback=_own_boards, expose_value=False, is_eager=True, help=help
    )(function)
    return click.option("--board", default="pynq-z2", show_default=True, help="Board (see hw/boards.toml).")(function)


def _own_boards(context: click.Context, _, file: Path | None) -> None:
    """Check a file of boards, and remember it for `_settings`."""
    if file is not None:
        from signflow.deploy.tools import toolchain

        for own in known.boards(file).values():
            toolchain(own)
        context.meta["boards"] = file


def _settings(network: str, board: str, *args, **options):
    """Settings of a build, with the board of the user's file where one was given."""
    from signflow.deploy.products import Settings

    own = click.get_current_context().meta.get("boards")
    return Settings(network, board, *args, own_board=asdict(known.board(board, own)) if own else None, **options)


def _json(function):
    """The option --json."""
    return click.option(
        "--json", "json_file", type=click.Path(path_type=Path), help="Also write the results to this file."
    )(function)


def _work(network: str, board: str, out: Path | None) -> Path:
    from signflow.deploy.flow import Settings

    return out or Settings(network, board).work


@main.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Folder [$SIGNFLOW_DATA or data].")
def data(directory: Path | None) -> None:
    """Fetch and verify Fashion-MNIST (31 MB)."""
    from signflow.models.data import fetch

    fetch(directory, say=console.print)


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of checkpoint, log, curve, weights [runs/<recipe>]."
)
def train(recipe: Path, out: Path | None) -> None:
    """Train a network as the TOML file RECIPE says; run again to resume after an interruption."""
    from signflow.models.training import train as run

    run(recipe, out, say=console.print)


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also the chains in every normalisation, not only with BN.")
@click.option("--markdown", is_flag=True, help="As Markdown.")
def networks(everything: bool, markdown: bool) -> None:
    """List the networks: input, data set, parameters, weight bits, whether trained weights ship."""
    from signflow.models.networks import CHAINS, PAPERS, every_method
    from signflow.models.study.inventory import inventory

    table = inventory([*(every_method(CHAINS) if everything else CHAINS), *PAPERS])
    click.echo(table.markdown() if markdown else table.text())


@main.command()
@click.argument("name", required=False)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Trainings at a time.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--docs", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def experiment(name: str | None, jobs: int, runs: Path, docs: Path) -> None:
    """Do an experiment, print its table, draw its plot, and write its section of docs/results.md.

    Finished runs are kept, an interrupted experiment goes on. Without NAME: the list of experiments.
    """
    from signflow.models.study import experiments

    if name is None:
        click.echo(experiments.listing())
    else:
        experiments.run(name, runs, docs, jobs, say=click.echo)


@main.command()
@click.argument("network")
@click.option("--weights", default="", help="Packed weight file [the shipped one].")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The QONNX file to write.")
def export(network: str, weights: str, output: Path) -> None:
    """Write one of our trained networks as QONNX."""
    from signflow.deploy import flow
    from signflow.deploy.compile.export import export as run
    from signflow.models.networks import network as lookup

    run(
        flow.torch_network(flow.Settings(lookup(network) and network, weights=weights)),
        lookup(network).input_shape,
        "uint8",
        output,
    )
    console.print(f"{output}: {output.stat().st_size} bytes")


@main.command(epilog=NETWORK_HELP)
@_where
@click.option(
    "--input", "kind", default="", help="How images reach a QONNX file's input: uint8/255, uint8, int8 or bipolar."
)
@click.option("--weights", default="", help="Packed weight file for one of our networks [the shipped one].")
@click.option(
    "--random-weights", type=click.IntRange(min=0), metavar="SEED", help="Random parameters: try a network untrained."
)
@click.option(
    "--target-fps",
    type=click.FloatRange(min=0, min_open=True),
    help="Images a second at the board's clock [as fast as fits 80 % of its LUTs (ulx3s: 25 %) and 90 % of its block "
    "RAM].",
)
@click.option("--clock", type=click.FloatRange(min=0, min_open=True), metavar="MHZ", help="Clock [the board's].")
@click.option("--folding", default="", help="JSON file node -> attribute -> value that fixes the folding.")
@click.option(
    "--from",
    "start",
    default="export",
    show_default=True,
    type=click.Choice(list(STEPS)),
    help="First step to run.",
)
@click.option("--check/--no-check", default=True, show_default=True, help="End with a proof on a few images.")
@_json
def build(
    network, board, out, kind, weights, random_weights, target_fps, clock, folding, start, check, json_file
) -> None:
    """Network -> accelerator: SystemVerilog, memory images, compiled simulation."""
    from signflow.deploy import flow
    from signflow.deploy.command import show

    work = _work(network, board, out)
    fresh = _settings(network, board, kind, weights, random_weights=random_weights)
    target = {"clock": clock} if clock else {}
    target |= {"board": board, "own_board": fresh.own_board} if fresh.own_board else {}
    if target and "fold" not in since(start):
        raise click.UsageError("--clock and --boards need --from fold or an earlier step: the folding depends on them")
    settings = flow.settings_of(work) if start != "export" else fresh
    folded = {"fps": target_fps or 0.0, "folding": folding} if "fold" in since(start) else {}
    settings = replace(settings, **folded, **target, check=check)
    seconds = show.build(console, settings, work, start)
    facts = flow.accelerator(work)
    show.folding(console, facts)
    keys = ("predicted", "operators")
    flow.write_json({"network": network, "board": board, "seconds": seconds} | {k: facts[k] for k in keys}, json_file)
    console.print(f"products in {work}")


@main.command(epilog=NETWORK_HELP)
@_where
@click.option(
    "--split",
    type=click.Choice(["sample", "test", "random"]),
    help="Shipped 1,000 images, whole test set, or random pixels [sample; random for a QONNX file].",
)
@click.option("--images", type=click.IntRange(min=1), help="Use the first so many images [all; 64 random ones].")
@click.option(
    "--stall-images",
    default=200,
    show_default=True,
    type=click.IntRange(min=0),
    help="Images to simulate again under random stalls on both sides.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of random images and stalls.")
@_json
def verify(network, board, out, split, images, stall_images, seed, json_file) -> None:
    """The ladder: the same images through PyTorch, QONNX, integer graph, FINN hardware graph and RTL simulation, every
    logit compared.
    """
    from signflow.deploy.command import ladder
    from signflow.deploy.verify.images import images_of

    work = _work(network, board, out)
    ladder.ladder(console, work, images_of(work, split, images, seed), stall_images, seed, json_file)


@main.command(epilog=NETWORK_HELP)
@_where
@click.option(
    "--images", default=100, show_default=True, type=click.IntRange(min=1), help="Images to stream back to back."
)
@click.option(
    "--in-stall",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 0.99),
    help="Probability that the source pauses in a cycle.",
)
@click.option(
    "--out-stall",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 0.99),
    help="Probability that the sink pauses in a cycle.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the stalls and of random images.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Instances that share the images, one core each.",
)
@click.option(
    "--wave", type=click.Path(path_type=Path), help="Write the waves of the first images to this file (.fst or .vcd)."
)
@click.option("--operator", default="", help="Only this operator's waves (a node name).")
@_json
def simulate(network, board, out, images, in_stall, out_stall, seed, workers, wave, operator, json_file) -> None:
    """Cycle-accurate RTL simulation: results, latency, initiation interval, speed."""
    from signflow.deploy import flow
    from signflow.deploy.command import show
    from signflow.deploy.verify.images import images_of

    work = _work(network, board, out)
    chosen, options = images_of(work, None, images, seed), {"wave": wave, "operator": operator}
    result = show.simulate(console, work, chosen, in_stall, out_stall, seed=seed, workers=workers, **options)
    flow.write_json(result, json_file)


@main.command(epilog=NETWORK_HELP)
@_where
@click.option("--exact", is_flag=True, help="Synthesise large operators whole [one dot product stands for all].")
@click.option("--whole", is_flag=True, help="Also synthesise the flattened top as one.")
@_json
def report(network, board, out, exact, whole, json_file) -> None:
    """Resources from yosys synth_xilinx, per operator and in total, with LUT per binary MAC per cycle and FPS."""
    from signflow.deploy.command import show

    show.report(console, _work(network, board, out), exact, whole, json_file)


def _built(network: str, board: str, out: Path | None) -> Path:
    """The work folder of a build; made now, with default settings, if there is none."""
    from signflow.deploy import flow
    from signflow.deploy.command import show

    work = _work(network, board, out)
    if not (work / flow.ACCELERATOR).exists():
        show.build(console, _settings(network, board), work, "export")
        show.folding(console, flow.accelerator(work))
    return work


@main.command(epilog=NETWORK_HELP)
@_where
@click.option(
    "--images",
    default=100,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Images through the simulated netlist of the whole board top; 0 leaves it out.",
)
@_json
def bitstream(network, board, out, images, json_file) -> None:
    """Accelerator -> bitstream: project folder, checks, netlist against PyTorch, the board's tool chain.

    Builds the network first if that has not been done. PYNQ boards need Vivado ($VIVADO, or vivado on PATH); without it
    everything else is done, the project folder is left to be finished elsewhere, and the exit code is 3.
    """
    from signflow.deploy.command import bitstream

    bitstream.run(console, _built(network, board, out), images, json_file)


@main.command(epilog=NETWORK_HELP)
@_where
def package(network, board, out) -> None:
    """One zip for the board: bitstream, address map, accel.json, driver, self-test, notebook, checksums.

    Without a bitstream, a PYNQ board's package holds a simulation image, which only the simulated board loads.
    """
    from signflow.deploy import flow
    from signflow.deploy.board import bitstream
    from signflow.deploy.board.package import package as run

    work = _built(network, board, out)
    path = run(work, bitstream.make_project(work), work / flow.settings_of(work).package)
    console.print(f"{path}: {path.stat().st_size:,} bytes")


@main.command(epilog=NETWORK_HELP)
@click.argument("network")
@click.option(
    "--input", "kind", default="", help="How images reach a QONNX file's input: uint8/255, uint8, int8 or bipolar."
)
@click.option("--weights", default="", help="Packed weight file for one of our networks [the shipped one].")
@click.option("--images", default=1000, show_default=True, type=click.IntRange(1, 1000), help="Shipped images to use.")
@click.option("--layer", default="", help="Only this layer (a node name of the hardware graph).")
@click.option("--channel", type=click.IntRange(min=0), help="Only this channel of --layer.")
@click.option(
    "--drop-lower", is_flag=True, help="Count the images that change when windows lose their lower threshold."
)
@click.option("--moving", is_flag=True, help="Also show the thresholds that the image moves.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Draw a channel's function to this PNG file.")
@_json
def thresholds(network, kind, weights, images, layer, channel, drop_lower, moving, output, json_file) -> None:
    """What became of the signs: thresholds, windows, codes, and which of them decide on real images.

    Without --channel the picture shows the window of which both sides occur most.
    """
    from signflow.deploy import flow
    from signflow.deploy.command import thresholds

    settings = flow.Settings(network, input=kind, weights=weights)
    result = thresholds.thresholds(console, settings, images, layer, channel, drop_lower, moving, output)
    flow.write_json(result, json_file)


@main.command()
@click.option("--net", default="cnv", show_default=True, help="One of our trained networks.")
@_board
@click.option(
    "--images", default=1000, show_default=True, type=click.IntRange(1, 1000), help="Shipped images to verify."
)
def demo(net: str, board: str, images: int) -> None:
    """The whole flow on a shipped network: build, ladder, cycles, synthesis estimate."""
    from signflow.deploy import flow
    from signflow.deploy.command import ladder, show
    from signflow.deploy.verify.images import of_dataset

    settings = _settings(net, board)
    show.build(console, settings, settings.work, "export")
    show.folding(console, flow.accelerator(settings.work))
    ladder.ladder(console, settings.work, of_dataset(net, "sample", images), min(images, 200), 1)
    show.report(console, settings.work, False, False)
    console.print(f"products in {settings.work}; the accelerator is {settings.work / flow.ACCELERATOR}")


@main.command()
@click.argument("networks", nargs=-1, required=True)
@_board
@click.option("--out", type=click.Path(path_type=Path), help="Folder that holds <network>-<board> of each [out].")
@click.option("--against", is_flag=True, help="Compare cycles and resources with the first network's.")
def table(networks: tuple[str, ...], board: str, out: Path | None, against: bool) -> None:
    """The README's tables of NETWORKS, from what `verify` and `report` measured last."""
    from signflow.deploy.command import table as tables

    works = [(out or Path("out")) / f"{network}-{board}" for network in networks]
    print((tables.against if against else tables.results)(works))

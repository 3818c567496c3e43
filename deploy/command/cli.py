"""The command `signflow`: one subcommand a verb, in flow order, each a method of the accelerator or a function of the
package, whose result it prints.
"""

from dataclasses import replace
from pathlib import Path

import click

import signflow
from signflow.deploy.command import options
from signflow.deploy.command.group import EXITS, Command, console, errors
from signflow.deploy.command.options import NETWORK_HELP, PATH
from signflow.deploy.command.quiet import quiet_libraries
from signflow.deploy.steps import STEPS, since

quiet_libraries()


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXITS)
@click.version_option(signflow.__version__, message="signflow %(version)s")
def main() -> None:
    """Binary neural networks from PyTorch to FPGA dataflow accelerators, proven equal by cycle-accurate simulation."""


@main.command()
@click.option("--dir", "directory", type=PATH, help="Folder [$SIGNFLOW_DATA or data].")
def data(directory: Path | None) -> None:
    """Fetch and verify Fashion-MNIST (31 MB)."""
    from signflow.models.data import fetch

    fetch(directory, say=console.print)


@main.command()
@click.argument("recipe", type=PATH)
@click.option("--out", type=PATH, help="Folder of checkpoint, log, curve, weights [runs/<recipe>].")
def train(recipe: Path, out: Path | None) -> None:
    """Train a network as the TOML file RECIPE says; run again to resume after an interruption."""
    from signflow.models.training import train as run

    run(recipe, out, say=console.print)


@main.command()
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option("--all", "everything", is_flag=True, help="Also the chains in every normalisation, not only with BN.")
@click.option("--boards", is_flag=True, help="What each needs on every board, with random weights; takes a while.")
@click.option("--out", type=PATH, default=Path("out/boards"), show_default=True, help="What --boards has found so far.")
@click.option("--markdown", is_flag=True, help="As Markdown.")
def networks(names: tuple[str, ...], everything: bool, boards: bool, out: Path, markdown: bool) -> None:
    """List the networks: input, data set, parameters, weight bits, whether trained weights ship.

    With --boards: operators, weights, and for every board the fastest folding that fits, or why none does. Interrupted,
    it goes on where it was.
    """
    from signflow.models.networks import CHAINS, NARROW, PAPERS, every_method, network

    names = names or (*(every_method(CHAINS) if everything else CHAINS), *PAPERS, *NARROW)
    for name in names:
        network(name)  # raises with the nearest name
    if not boards:
        from signflow.models.study.inventory import inventory

        table = inventory(list(names))
        click.echo(table.markdown() if markdown else table.text())
        return
    from signflow.deploy import survey
    from signflow.deploy.command import show

    with show.bar(errors, "", len(names)) as step:
        found = survey.survey(names, out, tick=lambda done, name: step(done, name))
    shown = [survey.page(found)] if markdown else [table.text() for table in survey.tables(found)]
    click.echo("\n".join(shown))


@main.command()
@click.argument("name", required=False)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Trainings at a time.")
@options.cluster("Train")
@click.option("--runs", type=PATH, default=Path("runs"), show_default=True, help="Folder of the trainings.")
@click.option("--docs", type=PATH, default=Path("docs"), show_default=True, help="Folder of results.md.")
@click.option("--render", is_flag=True, help="Train nothing: write the section from the recorded runs in DOCS/results.")
def experiment(name: str | None, jobs: int, cluster: str, runs: Path, docs: Path, render: bool) -> None:
    """Do an experiment, print its table, draw its plot, and write its section of docs/results.md.

    Finished runs are kept, an interrupted experiment goes on. Without NAME: the list of experiments.
    """
    from signflow.models.study import experiments

    if name is None:
        click.echo(experiments.listing())
    elif render:
        experiments.render(name, docs, say=click.echo)
    else:
        experiments.run(name, runs, docs, jobs, cluster, say=click.echo)


@main.command()
@click.argument("spec", type=PATH)
@click.option("--board", help="Print only the best for this board ...")
@click.option("--rate", type=click.FloatRange(min=0), default=0.0, help="... with so many images/s at least ...")
@click.option("--luts", type=click.FloatRange(min=0), default=float("inf"), help="... and so many LUTs at most.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Trainings at a time.")
@options.cluster("Train")
@click.option("--runs", type=PATH, default=Path("runs"), show_default=True, help="Trainings.")
@click.option("--out", type=PATH, default=Path("out/explore"), show_default=True, help="Costs, builds, page, picture.")
@click.option("--simulate/--no-simulate", default=True, show_default=True, help="Build and simulate the front.")
@click.option("--docs", type=PATH, help="Also write tables and picture into explore.md of this folder.")
@options.json_file
def explore(spec, board, rate, luts, jobs, cluster, runs, out, simulate, docs, json_file) -> None:
    """Explore what the TOML file SPEC says: networks x normalisation x width x depth x bits x board x images/s.

    Trains what is missing, estimates everything, simulates what nothing beats, and ends with the Pareto front as
    tables, picture and page, and with the commands that make the bitstreams. Interrupted, it goes on where it was.
    """
    from signflow.deploy.command import explore as shown
    from signflow.deploy.explore.run import Explorer
    from signflow.deploy.explore.spec import read_exploration

    if board is None and options.given("rate") | options.given("luts"):
        raise click.UsageError("--rate and --luts choose for a board: give --board, too")
    explorer = Explorer(read_exploration(spec), runs, out, jobs, cluster)
    if board is not None:
        explorer.board(board)  # raises now, not after hours of training
    found = shown.run(console, errors, explorer, spec, simulate, json_file)
    shown.choices(found) if board is None else shown.choice(found, board, rate, luts)
    if docs is not None:
        console.print(f"section in {shown.document(found, spec, docs)}", highlight=False, soft_wrap=True)


@main.command()
@click.argument("network")
@click.option("--weights", default="", help="Packed weight file [the shipped one].")
@click.option("-o", "--output", type=PATH, required=True, help="The QONNX file to write.")
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
@options.where
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
@click.option(
    "--prefer",
    type=click.Choice(["balance", "luts", "latency"]),
    default="balance",
    show_default=True,
    help="Of the foldings that reach it: fewest LUTs, or fewest cycles for one image.",
)
@click.option("--clock", type=click.FloatRange(min=0, min_open=True), metavar="MHZ", help="Clock [the board's].")
@click.option(
    "--stream-bits",
    type=click.IntRange(min=1),
    metavar="N",
    help="Widest word of the input: what the core alone would do, where the link carries less [what the link carries].",
)
@click.option("--folding", default="", help="JSON file node -> attribute -> value that fixes the folding.")
@click.option(
    "--batch",
    type=click.Choice(["1", "2", "4"]),
    help="Images that a network of dense layers takes together, to share the weights it reads [as makes it fastest].",
)
@click.option(
    "--from",
    "start",
    default="export",
    show_default=True,
    type=click.Choice(list(STEPS)),
    help="First step to run.",
)
@click.option("--loadable", is_flag=True, help="Weights, thresholds and tables can be exchanged at run time.")
@click.option("--check/--no-check", default=True, show_default=True, help="End with a proof on a few images.")
@options.json_file
def build(
    network,
    board,
    out,
    kind,
    weights,
    random_weights,
    target_fps,
    prefer,
    clock,
    stream_bits,
    folding,
    batch,
    start,
    loadable,
    check,
    json_file,
) -> None:
    """Network -> accelerator: SystemVerilog, memory images, compiled simulation."""
    from signflow.deploy import flow
    from signflow.deploy.command import show

    work = options.work(network, board, out)
    fresh = options.settings(network, board, kind, weights, random_weights=random_weights)
    target = {"clock": clock} if clock else {}
    target |= {"board": board, "own_board": fresh.own_board} if fresh.own_board else {}
    target |= {"loadable": True} if loadable else {}
    if start != "export" and (kind or weights or random_weights is not None):
        rule = "need --from export: the exported network stays as it is"
        raise click.UsageError(f"--input, --weights and --random-weights {rule}")
    if target and "fold" not in since(start):
        rule = "need --from fold or an earlier step: the folding depends on them"
        raise click.UsageError(f"--clock, --boards and --loadable {rule}")
    settings = flow.settings_of(work) if start != "export" else fresh
    other_board = options.given("board") and not fresh.own_board and settings.board != board
    if settings.name != fresh.name or other_board:
        rule = f"leave out --from to build {network} for {board} there"
        raise click.UsageError(f"{work} holds {settings.source} for {settings.board}: {rule}")
    folded = {"fps": target_fps or 0.0, "prefer": prefer, "stream_bits": stream_bits or 0, "folding": folding}
    folded["batch"] = int(batch or 0)
    folded = folded if "fold" in since(start) else {}
    show.build(console, replace(settings, **folded, **target, check=check), work, start, json_file)
    console.print(f"products in {work}", highlight=False, soft_wrap=True)


@main.command(epilog=NETWORK_HELP)
@options.where
@click.option(
    "--split",
    type=click.Choice(["sample", "test", "random"]),
    help="Shipped 1,000 images, whole test set, or random pixels [sample; random for a QONNX file].",
)
@options.images("Use the first so many images [all; 64 random ones]")
@options.labels
@click.option(
    "--stall-images",
    default=200,
    show_default=True,
    type=click.IntRange(min=0),
    help="Images to simulate again under random stalls on both sides.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of random images and stalls.")
@options.cluster("Run integer graph and RTL")
@options.json_file
def verify(network, board, out, split, images, labels, stall_images, seed, cluster, json_file) -> None:
    """The ladder: the same images through PyTorch, QONNX, integer graph, FINN hardware graph and RTL simulation, every
    logit compared.
    """
    from signflow.deploy.command import ladder

    acc = options.load(network, board, out)
    options.check_images(images, labels, split)
    chosen = acc.images(images, labels, split, seed)
    ladder.ladder(console, acc, chosen, stall_images, seed, cluster, json_file)


@main.command(epilog=NETWORK_HELP)
@click.argument("names", nargs=-1, metavar="[MODULE... | NETWORK]")
@options.board
@click.option(
    "--out", type=PATH, help="Folder of the products [out/<net>-<board>]; of MODULEs that of models [out/proofs]."
)
@click.option("--mutants", is_flag=True, help="Give the proofs faulty modules instead: each must be refuted.")
@click.option(
    "--own",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="Of a NETWORK: try to prove modules with its own parameters, so long each; 0: none.",
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Proofs at a time.")
@click.option("--markdown", is_flag=True, help="Of MODULEs, a row each, as Markdown.")
@options.json_file
def prove(names, board, out, mutants, own, jobs, markdown, json_file) -> None:
    """Prove the contract of every RTL module (sf_fifo ...), or of those named, for every input and any length of time;
    or print what is proven of NETWORK's accelerator.

    NETWORK is also the folder of a build. Exit code 1 if a property is refuted, which leaves its trace as VCD, or is
    not decided in time, or if the accelerator is not as it was built.
    """
    from signflow.deploy.command import prove as shown

    networks = [name for name in names if not name.startswith("sf_")]
    if networks and len(names) > 1:
        raise click.UsageError(f"give modules (sf_...) or one network, not {' '.join(names)}")
    if networks:
        if mutants or markdown:
            raise click.UsageError("--mutants and --markdown are for modules (sf_...)")
        work = options.work_of(names[0], board, out)
        done = shown.build(console, errors, work, Path("out/proofs"), own, jobs, json_file)
    elif options.given("board") or options.given("own") or json_file:
        raise click.UsageError("--board, --own and --json are for a network")
    elif mutants:
        done = shown.mutants(console, errors, names, out or Path("out/proofs"), jobs)
    else:
        done = shown.proofs(console, errors, names, out or Path("out/proofs"), jobs, markdown)
    if not done:
        raise click.exceptions.Exit(1)


@main.command(epilog=NETWORK_HELP)
@options.where
@options.images("Images to stream back to back", default=100)
@options.labels
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
@click.option("--wave", type=PATH, help="Write the waves of the first images to this file (.fst or .vcd).")
@click.option("--operator", default="", help="Only this operator's waves (a node name).")
@options.json_file
def simulate(network, board, out, images, labels, seed, json_file, **streaming) -> None:
    """Cycle-accurate RTL simulation: results, latency, initiation interval, speed."""
    from signflow.deploy.command import show

    acc = options.load(network, board, out)
    options.check_images(images, labels)
    show.simulate(console, acc, acc.images(images, labels, seed=seed), json_file, seed=seed, **streaming)


@main.command(epilog=NETWORK_HELP)
@options.where
@click.option("--exact", is_flag=True, help="Synthesise large operators whole [one dot product stands for all].")
@click.option("--whole", is_flag=True, help="Also synthesise the flattened top as one.")
@click.option("--html", type=PATH, help="Write all that is known of the build to this page, for a browser.")
@options.json_file
def report(network, board, out, exact, whole, html, json_file) -> None:
    """Resources from yosys synth_xilinx, per operator and in total, with LUT per binary MAC per cycle and FPS."""
    from signflow.deploy.command import show

    acc = options.load(network, board, out)
    show.report(console, acc, exact, whole, json_file)
    if html is not None:
        show.page(console, acc, html)


@main.command(epilog=NETWORK_HELP)
@options.where
@click.option(
    "--of",
    type=click.Choice(["accelerator", "network", "integer", "hardware", "folded"]),
    default="accelerator",
    show_default=True,
    help="Which graph of the build.",
)
@click.option("-o", "--output", type=PATH, required=True, help="Picture (.svg, .pdf, .png), or .dot for Graphviz.")
def graph(network, board, out, of, output) -> None:
    """The graph of a build as a picture or as DOT: operators, streams, FIFOs, width converters."""
    from signflow.deploy.command.graph import write

    write(options.load(network, board, out), of, output)
    console.print(f"graph in {output}")


def _built(network: str, board: str, out: Path | None):
    """The build that was named; made now, with default settings, if there is none."""
    from signflow.deploy import flow
    from signflow.deploy.command import show

    work = options.work(network, board, out)
    if not (work / flow.ACCELERATOR).exists():
        show.build(console, options.settings(network, board), work, "export")
    return options.load(network, board, out)


@main.command(epilog=NETWORK_HELP)
@options.where
@click.option(
    "--images",
    default=100,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Images through the simulated netlist of the whole board top; 0 leaves it out.",
)
@options.json_file
def bitstream(network, board, out, images, json_file) -> None:
    """Accelerator -> bitstream: project folder, checks, netlist against PyTorch, the board's tool chain.

    Builds the network first if that has not been done. PYNQ boards need Vivado ($VIVADO, or vivado on PATH); without it
    everything else is done, the project folder is left to be finished elsewhere, and the exit code is 3.
    """
    from signflow.deploy.command import bitstream

    bitstream.run(console, _built(network, board, out).work, images, json_file)


@main.command(epilog=NETWORK_HELP)
@options.where
@click.option("--sign", type=PATH, metavar="KEY", help="Sign it with this SSH key, a file.")
def package(network, board, out, sign) -> None:
    """One zip for the board: bitstream, address map, accel.json, driver, self-test, notebook, checksums.

    Without a bitstream, a PYNQ board's package holds a simulation image, which only the simulated board loads.
    """
    path = _built(network, board, out).package(sign=sign)
    console.print(f"{path}: {path.stat().st_size:,} bytes")


@main.command()
@click.option("--out", type=PATH, default=Path("out/bench"), show_default=True, help="Folder of the builds.")
@click.option("--docs", type=PATH, default=Path("docs"), show_default=True, help="Folder of the page and its pictures.")
def bench(out: Path, docs: Path) -> None:
    """Models of cost and time against synthesis and simulation, networks against others: docs/performance.md.

    Interrupted, it goes on where it was.
    """
    from signflow.deploy.command import bench

    bench.run(console, errors, out, docs)


@main.command("load-weights", epilog=NETWORK_HELP)
@options.where
@click.option("--source", default="", help="The other network: a name, or a QONNX file [NETWORK itself].")
@click.option("--input", "kind", default="", help="How images reach the input of a QONNX file [as before].")
@click.option("--weights", default="", help="Packed weight file for one of our networks [the shipped one].")
@click.option("--random-weights", type=click.IntRange(min=0), metavar="SEED", help="Random parameters.")
@click.option("-o", "--output", type=PATH, help="Also write the .npz that the driver on the board loads.")
def load_weights(network, board, out, source, kind, weights, random_weights, output) -> None:
    """Other weights, thresholds and tables into a build that was made with --loadable, without compiling anything.

    The other network must be the same hardware but for what its memories hold.
    """
    acc = options.load(network, board, out)
    acc.load_weights(source or network, input=kind, weights=weights, random_weights=random_weights)
    console.print(f"{acc.work} computes the other network now, checked on a few images", highlight=False)
    if output is not None:
        console.print(f"{acc.weights(output)}: {output.stat().st_size:,} bytes")


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
@click.option("-o", "--output", type=PATH, help="Draw a channel's function to this PNG file.")
@options.json_file
def thresholds(network, kind, weights, images, layer, channel, drop_lower, moving, output, json_file) -> None:
    """What became of signs and quantisers: thresholds, codes and their costs, and which of them decide on real images.

    Without --channel the picture shows the window of which both sides occur most, or, of a --layer that gives codes,
    the channel with the most.
    """
    from signflow.deploy import flow
    from signflow.deploy.command import thresholds

    settings = flow.Settings(network, input=kind, weights=weights)
    result = thresholds.thresholds(console, settings, images, layer, channel, drop_lower, moving, output)
    flow.write_json(result, json_file)


@main.command()
@click.option("--net", default="cnv", show_default=True, help="One of our trained networks.")
@options.board
@click.option(
    "--images", default=1000, show_default=True, type=click.IntRange(1, 1000), help="Shipped images to verify."
)
def demo(net: str, board: str, images: int) -> None:
    """The whole flow on a shipped network: build, ladder, cycles, synthesis estimate."""
    from signflow.deploy.command import ladder, show

    settings = options.settings(net, board)
    acc = show.build(console, settings, settings.work, "export")
    ladder.ladder(console, acc, acc.images(images, split="sample"), min(images, 200), 1)
    show.report(console, acc)
    console.print(f"products in {acc.work}; the accelerator is {acc.work / STEPS['generate'].products[0]}")


@main.command()
@click.argument("networks", nargs=-1, required=True)
@options.board
@click.option("--out", type=PATH, help="Folder that holds <network>-<board> of each [out].")
@click.option("--against", is_flag=True, help="Compare cycles and resources with the first network's.")
def table(networks: tuple[str, ...], board: str, out: Path | None, against: bool) -> None:
    """The README's tables of NETWORKS, from what `verify` and `report` measured last."""
    from signflow.deploy.command import table as tables

    works = [(out or Path("out")) / f"{network}-{board}" for network in networks]
    print((tables.against if against else tables.results)(works))

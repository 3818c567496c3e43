"""The README of a package: what it is, how to start it, what to expect. For people who have never heard of signflow."""

from collections.abc import Mapping, Sequence
from textwrap import fill, indent

from signflow.hw.boards import Board

LINK = {
    "pynq": ("", "a PYNQ image (2.7 or later)"),
    "serial": (', link=SerialLink("/dev/ttyUSB0")', "a serial cable, after `openFPGALoader -b {board} {name}.bit`"),
}
"""Of a link: what the driver is told, what it needs."""


def readme(facts: Mapping, needs: Sequence[str]) -> str:
    """README.md of the package that ``facts`` (its accel.json) describe; ``needs``: Python packages of its driver."""
    name, board, image, shell = facts["name"], Board.of(facts), facts["image"], facts["shell"]
    plan, mhz = facts["predicted"], shell["clock_khz"] / 1000
    told, where = LINK[board.link]
    batch = facts["batch"]
    first = "the first" if batch == 1 else f"the first {batch}"
    together = f" Images go in {batch} at a time; the driver fills up the last ones." if batch > 1 else ""
    lines = ["from accelerator import Accelerator"]
    lines += ["from serial_link import SerialLink"] if board.link == "serial" else []
    shape = ", ".join(map(str, image["shape"]))
    lines += [
        "",
        f'with Accelerator("{name}.bit"{told}) as net:',
        f"    logits = net(images)  # {image['kind']} images (N, {shape})",
        "    print(net.throughput_test())",
    ]
    code = indent("\n".join(lines), "    ")
    return f"""\
# {name} for {board.name}

A neural network as a circuit: {plan["interval"]:,} cycles an image at {mhz:g} MHz, that is
{shell["clock_khz"] * 1e3 / plan["interval"]:,.0f} images a second, {first} after {plan["latency"]:,} cycles
(predicted by the cycle; the link may be slower).{together}
It gives the very logits of the PyTorch network that it was made of.
{_simulated(facts)}{proofs(facts.get("check", {}))}
## Start

Needs {where.format(board=board.name, name=name)}, and Python 3.8 or later with {" and ".join(needs)}
(numpy 1.21 or later):

    pip install {" ".join(needs)}

In this folder:

{code}

or open `30_board.ipynb`. Opening checks every file by its SHA-256, loads the bitstream, and runs images with known
results. Whatever is wrong is an `AcceleratorError` with one sentence that says so.

## From a terminal

In this folder{_root(board)}:

    python3 -m accelerator            # check everything, and measure
    python3 -m accelerator --serve    # and serve a page: pictures or a camera in, classes and logits out

The page is for this machine alone; from another one log in with `ssh -L 8080:localhost:8080`, and open
http://localhost:8080 there, which is also where a browser gives its camera.

## What is in it

| file | |
|---|---|
| {name}.bit{_map(facts, name)} | the circuit |
| accelerator.py, npz.py, {facts["package"]["link"]} | the driver |
| serve.py, service.py, serve.html | the web page |
| accel.json, accel.npz | what the circuit is; images with known results, the table from integers to logits |
| sample.npz | images with labels, and PyTorch's logits |
| SHA256SUMS, signature.py | checksums of all files, and what checks their signature, if there is one |
| sbom.cdx.json | what made this package |

A package is a program: run it if you trust who made it. `sha256sum -c SHA256SUMS` finds damage; the head of
`signature.py` says how to see who signed it.

Made by signflow; network hash {shell["network_hash"]}.
"""


def proofs(check: Mapping) -> str:
    """What the check at the end of the build, and `signflow prove`, found."""
    if check.get("result") != "passed":
        return ""
    images = ", ".join(f"{rung} {count:,}" for rung, count in check["images"].items())
    lines = [f"Compared when it was built, every result of every image: {images}."]
    if "memory words" in check:
        lines.append(
            f"Proved: it cannot stand still ({check['deadlock']}), and all {check['memory words']:,} words of its "
            "memories are those of the network."
        )
    if found := check.get("proofs"):
        sets, here = (sum(row[name] for row in found.values()) for name in ("parameters", "these parameters"))
        lines.append(
            f"Of its {len(found)} modules with {sets:,} sets of parameters, {here:,} of {sets:,} sets are proved for "
            "every input, the modules of the others at smaller parameters."
        )
    return "\n" + "\n".join(fill(line, 120) for line in lines) + "\n"


def _root(board: Board) -> str:
    """What a terminal needs there: pynq works for root, with the variables of its image."""
    return ", as root (on PYNQ the terminal of Jupyter, or after `sudo -i`)" if board.link == "pynq" else ""


def _simulated(facts: Mapping) -> str:
    if not facts["package"]["simulated"]:
        return ""
    return "\nThis one holds no bitstream but a *simulation image*: only signflow's simulated board loads it.\n"


def _map(facts: Mapping, name: str) -> str:
    return f", {name}.hwh" if facts["package"]["link"] == "pynq_link.py" else ""

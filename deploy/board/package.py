"""A project -> one zip with all that a board needs: bitstream, driver, vectors with known results, notebook.

    <name>.bit  <name>.hwh    the bitstream and its address map, made by the board's tool chain in 8-project/build
    accel.json                the project's, plus "package": checksums of bitstream, driver, link, vectors
    accel.npz                 images with their results, the table from integers to logits; of a loadable accelerator
                              also its weights, as the words of the load chain
    sample.npz                images with labels and PyTorch's logits (`signflow.deploy.board.sample`)
    accelerator.py            the driver, and pynq_link.py or serial_link.py
    npz.py                    reads accel.npz and sample.npz (`signflow.models.npz`)
    serve.py, service.py, serve.html    its web page, `python -m accelerator --serve`
    30_board.ipynb            the notebook, without the outputs of another run
    README.md                 for people (`signflow.deploy.board.readme`)
    sbom.cdx.json             what the driver needs and what made the package (`signflow.deploy.board.bill`)
    SHA256SUMS                of every file; signed, SHA256SUMS.sig beside it, and signature.py, which checks it

Without a bitstream a PYNQ board's package holds a *simulation image* in its place, and says so ("simulated": true): the
project itself as a zip, which only signflow's simulated board loads. Same project, same bytes.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from signflow.deploy import flow
from signflow.deploy.board import bill, signature
from signflow.deploy.board.readme import readme
from signflow.deploy.board.sample import sample
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.generate.accelerator import WEIGHTS
from signflow.deploy.generate.project import network_hash
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.steps import ACCELERATOR
from signflow.deploy.verify.check import require
from signflow.deploy.verify.images import choose
from signflow.hw.boards import Board
from signflow.hw.sim.handoff import handoff
from signflow.models.files import replacing

VECTORS = {"pynq": 256, "serial": 32}
"""Images of the self-test by link; a serial line is slow. Measured on tfc: of 60 flipped weight bits 256 images
found all, 64 found 53, 16 found 32, because a weight in a middle layer often changes no result.
"""
HEAD_BYTES = 1 << 26
"""Of the table of logits, at most; the driver holds it in the board's memory."""
HERE = Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "notebooks" / "30_board.ipynb"
NPZ = HERE.parents[1] / "models" / "npz.py"
LINKS = {"pynq": "pynq_link.py", "serial": "serial_link.py"}
DRIVER = "accelerator.py", "signature.py", "serve.py", "service.py", "serve.html"
NEEDS = {"pynq": ("numpy", "pynq"), "serial": ("numpy", "pyserial")}
"""Python packages that the driver imports."""
DATE = (1980, 1, 1, 0, 0, 0)


def package(work: Path, project: Path, destination: Path, key: str | Path | None = None) -> Path:
    """Write the package of ``project`` (made by `shell.write_project` from the build in ``work``) to the zip file
    ``destination``, whole or not at all, signed with the SSH key in the file ``key``; returns it.

    Raises FlowError when a product or, for a board without a simulated one, the bitstream is missing, and when the
    accelerator has not passed its check; SignatureError when the key cannot sign.
    """
    require(work)
    path = project / "accel.json"
    if not path.exists():
        raise flow.FlowError(f"{path} is missing: run `signflow package`, which makes the project first")
    facts = json.loads(path.read_text())
    files = _bitstream(project, facts)
    simulated = files.pop("simulated")
    kind = Board.of(facts).link
    known, link = vectors(work, VECTORS[kind]), LINKS[kind]
    files |= {name: (HERE / name).read_bytes() for name in (*DRIVER, link)} | {"npz.py": NPZ.read_bytes()}
    files |= {"accel.npz": _npz(known), "sample.npz": _npz(sample(work, known))}
    if NOTEBOOK.exists():
        files[NOTEBOOK.name] = _unexecuted(NOTEBOOK)
    sums = {"bitstream": f"{facts['name']}.bit", "driver": "accelerator.py", "link": link, "vectors": "accel.npz"}
    facts["package"] = {f"{what}_sha256": signature.sha256(files[name]) for what, name in sums.items()}
    facts["package"] |= {"link": link, "simulated": simulated}
    files["accel.json"] = _json(facts)
    files["README.md"] = readme(facts, NEEDS[kind]).encode()
    files[bill.NAME] = bill.bill(facts["name"], facts["shell"]["network_hash"], NEEDS[kind]).encode()
    files[signature.SUMS] = signature.sums(files)
    if key is not None:
        files[signature.SIGNATURE] = signature.sign(files[signature.SUMS], key)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with replacing(destination) as partial:
        partial.write_bytes(zipped(files))
    return destination


def vectors(work: Path, count: int = 256) -> dict[str, np.ndarray]:
    """``count`` images (N, *shape), their integer results (N, K) by the integer graph, and the head as a table.

    ``head`` float32 (values, classes): the logit of integer ``head_low[c] + head_step * row``; absent when the network
    ends with the number of the class. Raises FlowError for a table above `HEAD_BYTES`.
    """
    model = flow.read(work, flow.INTEGER)
    image = ImageInput.of(model)
    images = choose(flow.settings_of(work).source, image, None, count, seed=0).pixels
    arrays = {"images": images, "results": IntGraph(model)(images)}
    head = Head.of(model)
    if not head.index:
        reach = head.accumulators
        if (size := 4 * reach.count * len(reach.low)) > HEAD_BYTES:
            raise flow.FlowError(
                f"a package holds the logit of every integer that a class can reach: {reach.count:,} integers of "
                f"{len(reach.low):,} classes are {size / 1e6:,.0f} MB, at most {HEAD_BYTES / 1e6:,.0f} are packed; let "
                "the network end with ArgMax, or its last layer have weights of fewer bits"
            )
        table = head(reach.table).astype(np.float32).reshape(reach.count, -1)
        arrays |= {"head": table, "head_low": reach.low, "head_step": np.int64(reach.step)}
    return arrays | load(work)


def weights(work: Path, destination: Path) -> Path:
    """Write the `accel.npz` of the loadable accelerator in ``work`` alone, for the driver's `load_weights`; returns it.

    Raises FlowError where weights are fixed, and when the accelerator has not passed its check.
    """
    require(work)
    facts = flow.accelerator(work)
    if not facts.get("loadable"):
        raise flow.FlowError(f"{work} was built with fixed weights: build it with --loadable to load others")
    with replacing(destination) as partial:
        partial.write_bytes(_npz(vectors(work, VECTORS[Board.of(facts).link])))
    return destination


def load(work: Path) -> dict[str, np.ndarray]:
    """What the driver loads into the accelerator in ``work``, if it is loadable: ``words`` (uint32) of the load chain,
    their CRC-32 ``crc``, and ``design``, the network hash of the accelerator that they are for.
    """
    folder = work / ACCELERATOR
    if not flow.accelerator(work).get("loadable"):
        return {}
    words = (folder / WEIGHTS).read_bytes()
    known = {"crc": np.uint32(zlib.crc32(words)), "design": np.array(network_hash(folder))}
    return known | {"words": np.frombuffer(words, "<u4").astype(np.uint32)}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of ``files`` by name, sorted and without dates: same files, same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def simulation_image(project: Path) -> bytes:
    """What the simulated board loads in place of a bitstream: the project's facts, sources and memories."""
    facts = json.loads((project / "accel.json").read_text())
    names = ["accel.json", *facts["sources"], *(f"mem/{path.name}" for path in (project / "mem").iterdir())]
    return zipped({name: (project / name).read_bytes() for name in names})


def _bitstream(project: Path, facts: dict) -> dict:
    """The files that configure the board, and "simulated"."""
    target, name = Board.of(facts), facts["name"]
    bit, hwh = (project / "build" / f"{name}.{suffix}" for suffix in ("bit", "hwh"))
    pynq = target.link == "pynq"
    if bit.exists():
        if pynq and not hwh.exists():
            raise flow.FlowError(f"{hwh} is missing beside {bit.name}: run `make build-bitstream` again")
        return {path.name: path.read_bytes() for path in ([bit, hwh] if pynq else [bit])} | {"simulated": False}
    if not pynq:
        raise flow.FlowError(f"{bit} is missing: run `make build-bitstream` for {target.name} first")
    return {bit.name: simulation_image(project), hwh.name: handoff(facts).encode(), "simulated": True}


def _unexecuted(notebook: Path) -> bytes:
    """The notebook as before its first run: the stored outputs are those of another accelerator."""
    book = json.loads(notebook.read_text())
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    book["metadata"].pop("signflow", None)
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """`numpy.savez` without dates."""
    files = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
        files[f"{name}.npy"] = buffer.getvalue()
    return zipped(files)


def _json(content: dict) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


__all__ = ["package", "simulation_image", "vectors", "weights", "zipped"]

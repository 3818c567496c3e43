"""The graph of a build as a file: a picture, or DOT for other programs."""

from pathlib import Path

from signflow.deploy.accelerator import Accelerator
from signflow.deploy.pictures.diagram import of_accelerator, of_model
from signflow.deploy.pictures.dot import dot
from signflow.deploy.pictures.draw_graph import draw
from signflow.deploy.steps import FOLDED, HARDWARE, INTEGER, NETWORK

PICTURES = (".svg", ".pdf", ".png")
PRODUCTS = {"network": NETWORK, "integer": INTEGER, "hardware": HARDWARE, "folded": FOLDED}
"""Graphs of a build besides its accelerator, in the order in which they are made."""


def write(acc: Accelerator, of: str, file: Path) -> None:
    """Write the graph ``of`` the build ("accelerator", or a key of `PRODUCTS`) in the form that the suffix of ``file``
    says. Raises ValueError for another suffix.
    """
    if file.suffix not in (".dot", *PICTURES):
        raise ValueError(f"{file}: graphs are written as .dot, {', '.join(PICTURES)}")
    diagram = of_accelerator(acc.facts) if of == "accelerator" else of_model(acc.graph(PRODUCTS[of]))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".dot":
        file.write_text(dot(diagram, acc.facts["name"]))
    else:
        draw(diagram).savefig(file)

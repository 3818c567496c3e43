"""What a training leaves in its folder: checkpoint, log, curve, facts. A file is replaced as a whole or not at all."""

import csv
import functools
import io
import json
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path

import torch

from signflow.models.files import replacing, save_picture
from signflow.models.training.parallel import Workers
from signflow.models.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("epoch", "train_loss", "test_accuracy", "seconds")


def save(value, path: Path) -> None:
    """`torch.save`, atomically. Through memory, because PyTorch's own writer hides why it fails (a full disk, say)."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    with replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def write_log(out: Path, log: list) -> None:
    """`log.csv` from rows of `COLUMNS`."""
    with replacing(out / "log.csv") as partial, open(partial, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([e, f"{loss:.5f}", f"{acc:.4f}", f"{sec:.1f}"] for e, loss, acc, sec in log)


def read_log(out: Path) -> list[float]:
    """Test accuracy after every epoch, from `log.csv`."""
    with open(out / "log.csv", newline="") as f:
        return [float(row["test_accuracy"]) for row in csv.DictReader(f)]


def draw_curve(out: Path, log: list) -> None:
    """`curve.png`: `curve`."""
    from matplotlib.figure import Figure  # not pyplot: a notebook that trains keeps its own way of showing pictures

    fig = Figure(figsize=(7, 4))
    curve(fig, log)
    fig.tight_layout()
    save_picture(fig, out / "curve.png")


def curve(figure, log: list) -> None:
    """Draw loss and test accuracy over the epochs into an empty matplotlib ``figure``; ``log`` as for `write_log`."""
    epochs = [row[0] for row in log]
    left = figure.subplots()
    left.plot(epochs, [row[1] for row in log], color="tab:blue")
    left.set(xlabel="epoch", ylabel="training loss (augmented)")
    left.yaxis.label.set_color("tab:blue")
    right = left.twinx()
    right.plot(epochs, [100 * row[2] for row in log], color="tab:red")
    right.set_ylabel("test accuracy in %", color="tab:red")
    right.grid(alpha=0.3)


@functools.cache
def commit() -> tuple[str | None, bool | None]:
    """(commit, whether tracked files differ from it) of the code that runs, (None, None) outside a git checkout.

    Asked once in a process, and before it talks to others: starting a program from a process with communication threads
    can block for ever.
    """

    def git(*args: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *args], check=True, capture_output=True, text=True).stdout.strip()

    if not (ROOT / ".git").exists():
        return None, None
    return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))


def machine(device: torch.device) -> str:
    """Name of the GPU, or model of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def facts(recipe: Recipe, workers: Workers) -> dict:
    """What is known before a training starts: recipe, code, versions, hardware."""
    code, dirty = commit()
    return {
        "recipe": asdict(recipe),
        "seed": recipe.seed,
        "commit": code,
        "dirty": dirty,
        "torch": torch.__version__,
        "device": machine(workers.device),
        "threads": torch.get_num_threads(),
        "world_size": workers.size,
    }


def write_facts(out: Path, known: dict, log: list) -> None:
    """`run.json`: ``known`` and what came out; ``log`` as for `write_log`. Keys are sorted."""
    result = {
        "epochs": len(log),
        "seconds": round(sum(row[3] for row in log), 1),
        "final_accuracy": log[-1][2],
        "best_accuracy": max(row[2] for row in log),
    }
    with replacing(out / "run.json") as partial:
        partial.write_text(json.dumps(known | result, indent=2, sort_keys=True) + "\n")

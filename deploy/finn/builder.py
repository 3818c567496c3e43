"""FINN's builder without Vivado.

    build(Path("net.onnx"), Path("docs/finn_build.yaml"), Path("out/finn"))

FINN's own command refuses to start where Vivado is missing, although most of its steps need none of it. `build` runs
FINN's `build_dataflow_cfg` unchanged, its simulations in Verilator. What FINN's builder imports and nothing else of
signflow does is not among signflow's dependencies: `check` says what to install.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from signflow.deploy.compile import engine
from signflow.deploy.finn import verilator

NEEDED = {
    "cloudpickle": "cloudpickle", "dateutil": "python-dateutil", "joblib": "joblib", "mashumaro": "mashumaro>=3.15,<4",
    "mip": "mip==1.17.0", "onnx_passes": "onnx-passes>=0.4", "pandas": "pandas>=2.3.1,<2.4", "psutil": "psutil",
    "pytz": "pytz", "sklearn": "scikit-learn>=1.7.2,<1.8", "threadpoolctl": "threadpoolctl",
}  # fmt: skip
"""Module that ``finn.builder`` imports, directly or not -> what pip calls it. Without their own dependencies: mip's
solver has 624 MB, and only FINN's partitioner for several FPGAs calls it.
"""


class BuilderError(RuntimeError):
    """FINN's builder does not start, or stopped; the message says what to do."""


def check() -> None:
    """Raises BuilderError where packages are missing that FINN's builder imports."""
    if names := [name for module, name in NEEDED.items() if find_spec(module) is None]:
        listed = " ".join(f"'{name}'" for name in names)
        raise BuilderError(f"packages are missing that FINN's builder imports: run `pip install --no-deps {listed}`")


def build(model: Path, config: Path, output: Path) -> None:
    """Build ``model`` (QONNX) as ``config`` says, a YAML file of FINN's `DataflowBuildConfig`, into ``output``. Raises
    BuilderError with the step at which FINN stopped, and for missing packages.
    """
    check()
    output.mkdir(parents=True, exist_ok=True)
    with inside(output / "build"):
        from finn.builder.build_dataflow import build_dataflow_cfg
        from finn.builder.build_dataflow_config import DataflowBuildConfig

        cfg = DataflowBuildConfig.from_yaml(config.read_text())
        cfg.output_dir = str(output)
        if build_dataflow_cfg(str(model), cfg):
            raise BuilderError(_stopped(output / "build_dataflow.log"))


def _stopped(log: Path) -> str:
    text = log.read_text()
    step = re.findall(r"Running step: (\S+)", text)
    reasons = re.findall(r"ERROR:\s*(?:\S*INFO:)?(FINN .*)", text)
    return (
        f"FINN stopped at {step[-1] if step else 'its start'}: {reasons[-1] if reasons else 'no reason given'}; {log}"
    )


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """In this block FINN generates its files in ``folder``, and simulates in Verilator. Behind it FINN, the
    environment, the log and the standard streams are as before.
    """
    engine.boot()
    import finn.util.settings as settings
    from finn.interface.settings import FINNSettings

    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    root, before, environment = logging.getLogger(), settings._SETTINGS, dict(os.environ)
    handlers, level, streams = root.handlers[:], root.level, (sys.stdout, sys.stderr)
    os.environ["FINN_BUILD_DIR"] = str(folder)
    os.environ.setdefault("XILINX_VIVADO", str(folder / "no-vivado"))  # its last part goes into a report
    settings._SETTINGS = FINNSettings.init(
        flow_config=folder / "flow.yaml", finn_build_dir=str(folder), auto_set_environment_vars=False
    )
    bound = engine.bind(verilator.NAMES)
    try:
        yield
    finally:
        engine.bind(bound)
        settings._SETTINGS = before
        os.environ.clear()
        os.environ.update(environment)
        sys.stdout, sys.stderr = streams
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


__all__ = ["NEEDED", "BuilderError", "build", "check", "inside"]

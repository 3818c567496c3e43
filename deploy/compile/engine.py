"""The only place that boots FINN (finn-plus 1.6.1), unpatched and without Vivado.

FINN's builder refuses to be imported unless the XSim binding ``finn.xsi`` is available, because that module resolves
its names lazily and asks for Vivado when it does. `boot` binds real attributes under those names first, so that the
lazy path never runs; anything that would really simulate with XSim then fails by name. Settings live in a build
directory of this process, which is removed at exit: nothing is written to the home or the working directory.
"""

import atexit
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

XSI_FUNCTIONS = (
    "locate_glbl",
    "compile_sim_obj",
    "get_simkernel_so",
    "load_sim_obj",
    "reset_rtlsim",
    "close_rtlsim",
    "rtlsim_multi_io",
)
NOISY_MODULES = r"(qonnx|finn|onnx|onnxruntime|brevitas)\b.*"

_build_dir: Path | None = None


class NoXSimError(RuntimeError):
    """Something asked FINN for a simulation with XSim; signflow simulates with Verilator (`signflow.hw.sim`)."""


def _refuse(name: str) -> Callable:
    def call(*_args, **_kwargs):
        raise NoXSimError(
            f"finn.xsi.{name} was called, but there is no XSim here: simulate with signflow.hw.sim (Verilator) instead"
        )

    return call


class _SimEngine:
    """Stands where FINN expects XSim's engine."""

    def __init__(self, *_args, **_kwargs):
        _refuse("SimEngine")()


def _bind_xsi() -> None:
    import finn.xsi as xsi

    xsi.SimEngine = _SimEngine
    for name in XSI_FUNCTIONS:
        setattr(xsi, name, _refuse(name))


def _make_build_dir() -> Path:
    path = Path(tempfile.mkdtemp(prefix="signflow-finn-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child must not delete the directory of its parent
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path


def boot() -> Path:
    """Make FINN usable in this process and its children; returns the build directory. Idempotent, a second or two the
    first time.

    Effects: environment variables of FINN and qonnx are set (child processes inherit them), FINN's
    log is reduced to errors, and the warnings of FINN, qonnx and ONNX are silenced; everything that matters is checked
    by our own passes.
    """
    global _build_dir
    if _build_dir is not None:
        return _build_dir
    path = _make_build_dir()
    os.environ.update(
        FINN_BUILD_DIR=str(path),
        FINN_DEPS=str(path / "deps"),
        FINN_SETTINGS=str(path / "settings.yaml"),
        AUTOMATIC_DEPENDENCY_UPDATES="false",
        SANITIZE_QUANT_TENSORS="0",  # rounding tensors to their annotated type is slow, and would hide errors
        NUM_DEFAULT_WORKERS="1",  # workers of FINN's spawned pools would not see operators registered at run time
    )
    import finn.util.settings as settings
    from finn.interface.settings import FINNSettings

    settings._SETTINGS = FINNSettings.init(flow_config=path / "flow.yaml", finn_build_dir=str(path))
    os.environ["FINN_RTLLIB"] = str(settings._SETTINGS.finn_rtllib)
    os.environ["FINN_CUSTOM_HLS"] = str(settings._SETTINGS.finn_custom_hls)
    logging.getLogger("finn_logger").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=NOISY_MODULES)
    from signflow.deploy.compile import window

    window.register()
    _bind_xsi()
    _build_dir = path
    return path

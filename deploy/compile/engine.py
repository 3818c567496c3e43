"""The only place that boots FINN (finn-plus 1.6.1), unpatched and without Vivado.

FINN resolves the names of its XSim binding ``finn.xsi`` lazily, and asks for Vivado when it does. `boot` binds real
attributes under those names first, so that the lazy path never runs; anything that would really simulate with XSim then
fails by name. FINN's build directory is a path that cannot exist: nothing is written anywhere, so nothing is left,
however the process ends. FINN's builder, resource models and partitioner are not used, and the packages that only they
import are not installed (``exclude-dependencies`` in pyproject.toml). In qonnx one name is replaced: sessions of
onnxruntime are kept (`signflow.deploy.compile.sessions`).
"""

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

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

NOWHERE = Path(os.devnull) / "finn"
"""FINN's build directory. FINN makes folders in it for what is not used here; then this fails by name."""

_booted = False


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


def bind(names: Mapping[str, object]) -> dict[str, object]:
    """Let ``names`` stand in the place of those of FINN's simulator binding; returns what stood there."""
    import finn.xsi as xsi

    before = {name: vars(xsi)[name] for name in names if name in vars(xsi)}
    for name, value in names.items():
        setattr(xsi, name, value)
    return before


def _keep_sessions() -> None:
    """qonnx makes a session of onnxruntime for every node of every image; let it take those that are kept."""
    from qonnx.core import onnx_exec

    from signflow.deploy.compile.sessions import session

    onnx_exec.rt = SimpleNamespace(InferenceSession=session)


def boot() -> None:
    """Make FINN usable in this process and its children. Idempotent, a second or two the first time.

    Effects: environment variables of FINN and qonnx are set (child processes inherit them), FINN's
    log is reduced to errors, and the warnings of FINN, qonnx and ONNX are silenced; everything that matters is checked
    by our own passes. Where FINN runs already, because its builder called a step of ours, its settings, its log and its
    simulator stay as they are.
    """
    global _booted
    if _booted:
        return
    import finn.util.settings as settings

    if settings._SETTINGS is None:
        _settle(settings)
    from signflow.deploy.compile import flatten_nhwc, multiply_add, sum_pool
    from signflow.deploy.compile.dialect import OPERATORS
    from signflow.deploy.compile.dialect.own import register

    sum_pool.register()
    flatten_nhwc.register()
    multiply_add.register()
    register(list(OPERATORS.values()))
    _keep_sessions()
    _booted = True


def _settle(settings) -> None:
    """Settings of FINN that let nothing be written, and no simulator."""
    os.environ.update(
        FINN_BUILD_DIR=str(NOWHERE),
        FINN_DEPS=str(NOWHERE / "deps"),
        FINN_SETTINGS=str(NOWHERE / "settings.yaml"),
        AUTOMATIC_DEPENDENCY_UPDATES="false",
        SANITIZE_QUANT_TENSORS="0",  # rounding tensors to their annotated type is slow, and would hide errors
        NUM_DEFAULT_WORKERS="1",  # workers of FINN's spawned pools would not see operators registered at run time
    )
    from finn.interface.settings import FINNSettings

    settings._SETTINGS = FINNSettings.init(flow_config=NOWHERE / "flow.yaml", finn_build_dir=str(NOWHERE))
    os.environ["FINN_RTLLIB"] = str(settings._SETTINGS.finn_rtllib)
    os.environ["FINN_CUSTOM_HLS"] = str(settings._SETTINGS.finn_custom_hls)
    logging.getLogger("finn_logger").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=NOISY_MODULES)
    bind({"SimEngine": _SimEngine} | {name: _refuse(name) for name in XSI_FUNCTIONS})

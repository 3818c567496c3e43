"""Silences the libraries' chatter on the command line; errors still come through."""

import logging
import os
import warnings


def quiet_libraries() -> None:
    """Call before torch, brevitas and FINN are imported."""
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # idle OpenMP threads must not spin: simulation and training share the cores
    warnings.filterwarnings("ignore")
    for name in ("torch.onnx", "matplotlib", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)

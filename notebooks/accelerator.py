"""Stands in for the driver where there is no package: makes one for a simulated board, and becomes the driver in it.

`30_board.ipynb` begins as on a board, with ``from accelerator import Accelerator``. In a package that is the driver. In
this folder it is this file: it builds `NET`, unpacks its package beside the products of the build, goes there, as if
the notebook had been opened in the package, and puts the package's own accelerator.py in its place.
"""

import importlib.util
import os
import sys
import warnings

import signflow

NET = "tfc"

warnings.filterwarnings("ignore", "pkg_resources is deprecated")  # what importing pynq says
built = signflow.build(NET, board="pynq-z2")
os.chdir(built.unpack(built.work / "package"))
sys.path.insert(0, os.getcwd())
found = importlib.util.spec_from_file_location(__name__, "accelerator.py")
sys.modules[__name__] = importlib.util.module_from_spec(found)
found.loader.exec_module(sys.modules[__name__])

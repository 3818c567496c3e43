"""`make mutants`: faults, built one by one into what must be right, each of which a proof or a test must find.

    python -m signflow.tests.campaigns.mutants rtl --help      # the modules of hw/rtl (rtl_mutants.py)
    python -m signflow.tests.campaigns.mutants python --help   # the compiler and the layers (python_mutants.py)

The score is killed / (all - equivalent); the exit code is 1 if a mutant survives.
"""

import importlib
import sys

HALVES = ("rtl", "python")


def main() -> None:
    """Run the half that the first argument names; the others are its options."""
    if len(sys.argv) < 2 or sys.argv[1] not in HALVES:
        sys.exit("usage: python -m signflow.tests.campaigns.mutants {rtl,python} [options; --help lists them]")
    importlib.import_module(f"{__package__}.{sys.argv[1]}_mutants").main(sys.argv[2:])


if __name__ == "__main__":
    main()

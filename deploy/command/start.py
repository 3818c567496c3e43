"""Where the command `signflow` begins: it imports the rest only if what the rest imports is installed."""

import importlib.metadata
import re
import shlex
import sys

ENGINE = "finn-plus==1.6.1"
"""Left out of the wheel's dependencies (pyproject.toml says why), and installed without its own."""


def main() -> None:
    """Run the command; one line and exit code 1 if packages are missing."""
    if advice := missing():
        sys.exit(f"error: {advice}")
    from signflow.deploy.command import cli

    cli.main()


def missing() -> str:
    """What to install before signflow can work, in one line; empty if everything is there.

    What is needed stands in the metadata of the installed wheel; without any, as in a checkout that is only on the
    path, nothing is known to be missing.
    """
    try:
        needed = importlib.metadata.requires("signflow") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    absent = [text for text in needed if "extra ==" not in text and not _installed(text)]
    commands = [f"pip install {shlex.join(absent)}"] if absent else []
    commands += [] if _installed(ENGINE) else [f"pip install --no-deps {ENGINE}"]
    return f"packages are missing: run `{' && '.join(commands)}`" if commands else ""


def _installed(requirement: str) -> bool:
    """Whether a distribution of that name is there, in whatever version."""
    name = re.match(r"[\w.-]+", requirement)[0]
    return bool(list(importlib.metadata.distributions(name=name)))

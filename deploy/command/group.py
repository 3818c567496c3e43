"""How the command answers: every error is one message on standard error and an exit code, a wrong word gets the nearest
right one.
"""

import os
import sys
from difflib import get_close_matches

import click
from rich.console import Console

PLAIN = {"markup": False, "emoji": False}
"""What is printed holds the user's own text (paths, names), in which "[bold]" or ":x:" mean nothing."""
console, errors = Console(**PLAIN), Console(stderr=True, soft_wrap=True, highlight=False, **PLAIN)
VENDOR_STEP = 3
"""Exit code of `signflow bitstream` when everything is done but what needs the vendor's tool, which is not here."""
EXPECTED = (ValueError, RuntimeError, AssertionError, OSError)
"""What signflow's own errors are. Anything else was not foreseen, and is said to be so."""
EXITS = """\b
Exit codes: 0 done; 1 an error, or a logit that differs; 2 wrong words on the command line;
            3 all done but the vendor's step (bitstream); 130 interrupted.
\b
Environment: NO_COLOR=1 prints without colours; SIGNFLOW_DATA is the folder of data sets;
            SIGNFLOW_TRACEBACK=1 shows where in the code an error arose."""


class Command(click.Group):
    """Turns every expected error into one message and an exit code (`EXITS`)."""

    def resolve_command(self, ctx, args):
        """The subcommand, or a usage error with the nearest name."""
        if args and (name := click.utils.make_str(args[0])) not in self.commands and not name.startswith("-"):
            near = get_close_matches(name, self.commands, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            errors.print("interrupted; finished products are kept")
            sys.exit(130)
        except Exception as e:
            if os.environ.get("SIGNFLOW_TRACEBACK"):
                raise
            if getattr(e, "exit_code", None) == VENDOR_STEP:
                errors.print(str(e))
                sys.exit(VENDOR_STEP)
            errors.print("error:", style="red", end=" ")
            errors.print(_words(e))
            sys.exit(1)


def _words(error: Exception) -> str:
    """What to say of an error; the name of its class only where it was not foreseen."""
    if isinstance(error, EXPECTED):
        return str(error) or type(error).__name__
    report = "this is a fault of signflow: SIGNFLOW_TRACEBACK=1 shows where; please report it with your file"
    return f"{type(error).__name__}: {error}\n{report}"

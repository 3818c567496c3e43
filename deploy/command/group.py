"""How the command answers: every error is one message on standard error and an exit code, a wrong word gets the nearest
right one.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import click
from rich.console import Console

PLAIN = {"markup": False, "emoji": False}
"""What is printed holds the user's own text (paths, names), in which "[bold]" or ":x:" mean nothing."""
console, errors = Console(**PLAIN), Console(stderr=True, soft_wrap=True, highlight=False, **PLAIN)
VENDOR_STEP = 3
"""Exit code of `signflow bitstream` when everything is done but what needs the vendor's tool, which is not here."""
ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals by which others end a process: the system, a batch queue, a terminal that closes."""
EXPECTED = (ValueError, RuntimeError, AssertionError, OSError)
"""What signflow's own errors are. Anything else was not foreseen, and is said to be so."""
STARVED = ("failed to map segment", "annot allocate memory", "can't allocate memory", "could not create a primitive")
"""What libraries say when there is not enough memory: the loader, the system, PyTorch, oneDNN."""
EXITS = """\b
Exit codes: 0 done; 1 an error, or a logit that differs; 2 wrong words on the command line;
            3 all done but the vendor's step (bitstream); 130 interrupted;
            143 terminated.
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
            with _terminable():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as e:
            errors.print("interrupted; finished products are kept")
            sys.exit(128 + getattr(e, "number", signal.SIGINT))
        except Exception as e:
            if os.environ.get("SIGNFLOW_TRACEBACK"):
                raise
            if getattr(e, "exit_code", None) == VENDOR_STEP:
                errors.print(str(e))
                sys.exit(VENDOR_STEP)
            errors.print("error:", style="red", end=" ")
            errors.print(_words(e))
            sys.exit(1)


class Terminated(KeyboardInterrupt):
    """A signal that asks this process to end: it leaves as little behind as after Ctrl-C."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


@contextmanager
def _terminable() -> Iterator[None]:
    """Let the signals `ENDING`, where they would end the process at once, raise `Terminated`. A signal that Python
    drops, because it comes while a callback of its memory management runs, is sent again.
    """

    def stop(number: int, frame) -> None:
        raise Terminated(number)

    mine = threading.current_thread() is threading.main_thread()  # no other may say what a signal does
    asked = [number for number in ENDING if mine and signal.getsignal(number) is signal.SIG_DFL]

    def dropped(told) -> None:
        if not issubclass(told.exc_type, KeyboardInterrupt):
            return before(told)
        number = getattr(told.exc_value, "number", signal.SIGINT)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()  # not in this callback, either

    for number in asked:
        signal.signal(number, stop)
    before, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield
    finally:
        sys.unraisablehook = before
        for number in asked:
            signal.signal(number, signal.SIG_DFL)


def _words(error: Exception) -> str:
    """What to say of an error; the name of its class only where it was not foreseen."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in STARVED):
        return f"not enough memory{f': {error}' if str(error) else ''}"
    if isinstance(error, EXPECTED):
        return str(error) or type(error).__name__
    report = "this is a fault of signflow: SIGNFLOW_TRACEBACK=1 shows where; please report it with your file"
    return f"{type(error).__name__}: {error}\n{report}"

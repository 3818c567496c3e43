"""Where trainings, and other tasks of minutes, run: in processes of this machine, or on the workers of a Dask cluster.

A cluster's workers must have the same signflow, see the same folders (runs, builds) and the same data under the same
paths, and have one thread each (``dask worker ADDRESS --nthreads 1``): a training sets the threads of its process. The
task of a worker that dies is done again by another one; its result comes once.
"""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from types import ModuleType

EXTRA = "signflow[explore]"
WAIT = 10
"""Seconds for a cluster to answer."""


class WorkersError(RuntimeError):
    """A package or a cluster that was asked for is not there."""


def optional(module: str, what: str) -> ModuleType:
    """A module of a package that only explorations need; raises WorkersError that says how to get it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as e:
        raise WorkersError(f"{what} needs the package {module.split('.')[0]}: pip install '{EXTRA}'") from e


class KilledError(WorkersError):
    """A process ended in the middle of its task."""


@contextmanager
def workers(jobs: int, cluster: str = "", tasks: int = 1) -> Iterator[Executor]:
    """An executor: of ``jobs`` processes, each of which does so many ``tasks`` and ends, or of the Dask cluster whose
    scheduler has the address ``cluster``. When the block ends by an error, what has not begun is dropped; what has is
    waited for here, and dropped on a cluster. When it is interrupted, the processes here are told to end.
    """
    with _on(cluster) if cluster else _here(jobs, tasks) as pool:
        yield pool


@contextmanager
def _here(jobs: int, tasks: int) -> Iterator[Executor]:
    spawn, options = get_context("spawn"), {"max_tasks_per_child": tasks, "initializer": end_with_parent}
    with ProcessPoolExecutor(jobs, mp_context=spawn, **options) as pool:
        try:
            yield pool
        except BrokenExecutor as e:
            raise KilledError("a process that trains was killed: too little memory? Run again to go on") from e
        except BaseException as e:
            if not isinstance(e, Exception):
                for process in active_children():
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _on(address: str) -> Iterator[Executor]:
    distributed = optional("distributed", "--cluster")
    try:
        client = distributed.Client(address, timeout=WAIT)
    except (OSError, ValueError) as e:
        raise WorkersError(f"no Dask scheduler answers at {address!r}: {e}") from e
    with client:
        threads = client.nthreads()
        if wide := [name for name, count in threads.items() if count != 1]:
            raise WorkersError(
                f"worker {wide[0]} of {address} has {threads[wide[0]]} threads: start it with --nthreads 1"
            )
        with client.get_executor() as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False)
                raise


def end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends: a killed experiment trains no more.
    Told to end, it leaves nothing half-written.
    """

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    Thread(target=watch, daemon=True).start()

"""Work in a process of its own, so that memory which a library leaks comes back when it ends.

In TensorRT 8.5 a parser and its network keep each other alive: parser, graph, network and builder of each build would
stay until the command ends, on a board that shares its memory with the GPU.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
from multiprocessing.connection import Connection
from typing import Any, Callable

from siamtrt import BuildError, PipelineError, cli, errors

_LEFT_BY = {-9: "it was killed, most likely for memory: close other programs, 'free -m' shows what is left"}


def run(function: Callable[..., None], *arguments: Any) -> None:
    """Call *function* of a module with *arguments* in a new process, and wait for it.

    Raises:
        PipelineError: what the function raised, of the same kind.
        BuildError: the process ended otherwise.
    """
    context = multiprocessing.get_context("spawn")  # a forked process could not use a GPU that this one has asked about
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, logging.getLogger().level, function, arguments))
    process.start()
    sender.close()
    try:
        failure = receiver.recv()
    except EOFError:
        process.join()
        raise BuildError(
            f"the process that built ended with code {process.exitcode}", hint=_LEFT_BY.get(process.exitcode or 0, "")
        ) from None
    except BaseException:  # Ctrl-C and SIGTERM: a build would go on for minutes
        process.terminate()
        process.join()
        raise
    process.join()
    if failure is not None:
        kind, problem, hint = failure
        raise getattr(errors, kind)(problem, hint=hint)


def _serve(sender: Connection, level: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    cli.start_log(level)
    try:
        function(*arguments)
    except PipelineError as error:
        kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
        sender.send((next(kinds), error.problem, error.hint))
    except KeyboardInterrupt:
        sys.exit(cli.INTERRUPTED)
    else:
        sender.send(None)

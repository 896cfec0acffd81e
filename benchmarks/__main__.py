"""`python -m benchmarks`: measure, print tables, write JSON to benchmarks/results, and the document from it."""

import logging
import signal
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

EPILOG = (
    "python -m benchmarks | python -m benchmarks ingest --rounds 1 --quick | python -m benchmarks reference --only "
    "waymark --only aiokafka | python -m benchmarks --document"
)
console = Console() if sys.stdout.isatty() else Console(width=200)


def benchmark(  # noqa: PLR0913, PLR0917  a command's signature is its help: one argument a flag
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; none: all that are not long.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each runs every contestant once.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, for a first look.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Large sizes, and the long benchmarks too.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only contestants with this in their name.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the traffic.")] = 1,
    show: Annotated[bool, typer.Option("--list", help="Say which benchmarks there are.")] = False,
    document: Annotated[
        bool, typer.Option("--document", help="Only write docs/benchmarks.md from the results.")
    ] = False,
) -> None:
    """Speed, side by side with peers, in one run, on Apache Kafka and PostgreSQL."""
    from benchmarks import display, suite  # heavy, and not needed for --help
    from benchmarks.measuring import Plan

    if show:
        display.benchmarks(console, suite.everything())
        return
    if document:
        suite.write_document(console)
        return
    plan = Plan(rounds=rounds, quick=quick, full=full, seed=seed, only=tuple(only or ()))
    try:
        chosen = suite.choose(names or (), plan)
    except suite.UnknownBenchmarkError as error:
        console.print(str(error), style="red")
        raise typer.Exit(2) from error
    try:
        failed = suite.run(chosen, plan, console)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running", style="yellow")
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command; an interruption ends what was started, then this."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains of topics that are a moment old
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog=EPILOG)(benchmark)
    app(prog_name="python -m benchmarks")


if __name__ == "__main__":
    main()

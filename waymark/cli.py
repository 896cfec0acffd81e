"""`waymark`, the operator's command: puts the sub-commands together and turns known errors into one line and a code.

Exit codes: 0 it worked, 1 it did not, 2 it was called wrongly.
"""

import sys
from typing import Annotated

import typer

from waymark.commands import (
    demo,
    dlq,
    doctor,
    identity,
    imports,
    keys,
    migrate,
    privacy,
    send,
    serve,
    sources,
    suppress,
    tail,
    topics,
    up,
)
from waymark.console import CommandError, err, say
from waymark.stack.process import StackError

app = typer.Typer(
    name="waymark",
    help=say(
        "Follows every customer across every channel while it happens, and tells the team that can still help.",
        "모든 채널에서 고객의 여정을 실시간으로 따라가고, 아직 도울 수 있는 팀에 알립니다.",
    ),
    epilog="Try: waymark up\n\nThen, in another terminal: waymark send --kind call_started -c phone=010-1234-5678",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help=say("Show the version and stop.", "버전을 표시합니다."), is_eager=True)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"waymark {version_of('waymark')}")
        raise typer.Exit


for module in (
    up,
    demo,
    send,
    tail,
    imports,
    doctor,
    dlq,
    identity,
    keys,
    sources,
    privacy,
    suppress,
    migrate,
    topics,
    serve,
):
    module.register(app)


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name="waymark")
    except (CommandError, StackError) as error:
        _complain(str(error))
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(text: str) -> None:
    err.print(f"[bold red]{say('error', '오류')}:[/] ", end="")
    err.print(text, markup=False, highlight=False)


if __name__ == "__main__":
    main()

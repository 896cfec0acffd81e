"""`waymark`, the operator's command: puts the sub-commands together and turns known errors into one line and a code.

Exit codes: 0 it worked, 1 it did not, 2 it was called wrongly.
"""

import sys
from typing import Annotated

import typer

from waymark.alerts import alerts_command
from waymark.console import CommandError, err, say
from waymark.customer import customer_command
from waymark.dead_letters import dlq_command
from waymark.demo import demo_command
from waymark.doctor import doctor_command
from waymark.effort import effort_command
from waymark.funnels import funnels_command
from waymark.identity import identity_command
from waymark.imports import import_command
from waymark.journeys import journeys_command
from waymark.keys import keys_command
from waymark.launchers.child_process import StackError
from waymark.local import up_command
from waymark.loop import digest_command, impact_command, improvements_command
from waymark.migrations import migrate_command
from waymark.paths import paths_command
from waymark.privacy import privacy_command, suppress_command
from waymark.processes import serve_command
from waymark.rules import rules_command
from waymark.sources import sources_command
from waymark.topics import topics_command
from waymark.touchpoints import send_command, tail_command

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
    up_command,
    demo_command,
    send_command,
    tail_command,
    customer_command,
    import_command,
    doctor_command,
    dlq_command,
    alerts_command,
    identity_command,
    impact_command,
    improvements_command,
    digest_command,
    paths_command,
    funnels_command,
    effort_command,
    keys_command,
    rules_command,
    journeys_command,
    sources_command,
    privacy_command,
    suppress_command,
    migrate_command,
    topics_command,
    serve_command,
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

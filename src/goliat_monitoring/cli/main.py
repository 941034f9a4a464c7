"""The command `goliat-monitoring`."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from goliat_monitoring.cli import config, queue, run, settings, show, study, token, worker
from goliat_monitoring.cli.agent import agent
from goliat_monitoring.cli.demo import demo
from goliat_monitoring.cli.serve import serve
from goliat_monitoring.wire.errors import Refused


class Commands(TyperGroup):
    """Turns every refusal into one line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except Refused as refused:
            text = f"{refused.error}: {refused.details}" if refused.details else refused.error
            show.problems.print(f"Error: {show.safe(text)}", markup=False, soft_wrap=True)
            raise typer.Exit(1) from refused
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run and watch GOLIAT studies on a fleet of machines.",
)
app.command()(serve)
app.command()(agent)
app.command()(demo)
study.app.add_typer(queue.app)
app.add_typer(study.app, name="study")
app.add_typer(config.app, name="config")
app.add_typer(config.app, name="configs", hidden=True)
app.add_typer(token.app, name="token")
app.add_typer(settings.app, name="settings")
app.add_typer(worker.app, name="worker")
app.add_typer(worker.app, name="workers", hidden=True)
app.add_typer(run.app, name="run")
app.add_typer(run.app, name="runs", hidden=True)


@app.callback(invoke_without_command=True)
def options(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Options before the command."""
    if show_version:
        print(version("goliat-monitoring"))
        raise typer.Exit


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Stand in for `goliat`: same reports and files, random numbers."""
    from goliat_monitoring.simulator.command import main  # noqa: PLC0415 -- the other commands start without it

    raise typer.Exit(main(context.args))


if __name__ == "__main__":
    sys.exit(app(prog_name="goliat-monitoring"))

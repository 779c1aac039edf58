"""The command `aerodrome`: finds the noun, runs the verb, and turns errors into exit codes.

Nouns are loaded only when they are used, so that the command starts fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from cyclopts import App, CycloptsError, Group
from cyclopts.exceptions import UnusedCliTokensError

from aerodrome.cli import exits
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.version import version

MOVE: Final = Group("Migrate", sort_key=1)
RUN: Final = Group("Run", sort_key=2)
PEOPLE: Final = Group("People and access", sort_key=3)
SERVER: Final = Group("The server", sort_key=4)

# name, module below aerodrome.cli, attribute, group, help
COMMANDS: Final = (
    ("demo", "demo", "app", MOVE, "The whole story on this machine."),
    ("migrate", "migrate", "app", MOVE, "Move a self-managed Airflow here, step by step."),
    ("assess", "assess", "app", MOVE, "Assess an Airflow without a server: what is there, and what stands in the way."),
    ("export", "export", "app", MOVE, "Make the script that writes an Airflow into one sealed archive."),
    ("upgrade", "upgrade", "app", MOVE, "Upgrade DAG code to another Airflow version, without a server."),
    ("convert", "convert", "app", MOVE, "Turn Oozie or Control-M definitions into Airflow DAGs."),
    ("dev", "dev", "app", MOVE, "Work on a project on this machine, without a server."),
    ("workspace", "workspace", "app", RUN, "The rooms in which teams keep their deployments."),
    ("cluster", "cluster", "app", RUN, "Where deployments run."),
    ("deployment", "deployment", "app", RUN, "Each is one Airflow."),
    ("deploy", "deploy", "app", RUN, "Put a project folder on a deployment."),
    ("backup", "backup", "app", RUN, "Copies of a deployment's metadata database, tried by restoring them."),
    ("env", "env", "app", RUN, "Connections, variables and environment variables."),
    ("secrets-backend", "secrets_backend", "app", RUN, "Services in which teams keep connections and variables."),
    ("alert", "alert", "app", RUN, "Who is told when something needs somebody."),
    ("login", "login", "login", PEOPLE, "Sign in with a one-time login link."),
    ("logout", "login", "logout", PEOPLE, "Forget the stored token and revoke it."),
    ("user", "user", "app", PEOPLE, "People and their roles."),
    ("token", "token", "app", PEOPLE, "Your API tokens."),
    ("audit", "audit", "app", PEOPLE, "Who did what."),
    ("serve", "serve", "serve", SERVER, "Run the platform: API, pages, worker."),
    ("platform", "platform", "app", SERVER, "Back the platform up, and restore it."),
    ("login-link", "login_link", "login_link", SERVER, "Make a one-time login link, on the server's machine."),
    ("version", "about", "show_version", SERVER, "Show the version."),
)


def build() -> App:
    """Give the command tree; what is not installed is left out."""
    app = App(
        name="aerodrome",
        help="The open platform a team lands its Apache Airflow on: migrate with proof, then run it.",
        version=version,
        help_format="plaintext",
        group_commands=RUN,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].group = app["--version"].group = Group("Help", sort_key=9)
    for name, module, attribute, group, text in COMMANDS:
        path = f"aerodrome.cli.{module}"
        if find_spec(path) is not None:
            app.command(f"{path}:{attribute}", name=name, help=text, group=group)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    as_json = wants_json(arguments)
    try:
        result = build()(list(arguments), exit_on_error=False, print_error=False)
    except AerodromeError as error:
        return exits.tell(error, as_json=as_json)
    except CycloptsError as error:
        return exits.tell(_usage(error), as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return exits.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `aerodrome audit | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
    except Exception as error:  # noqa: BLE001  (one of the four edges)
        return _defect(error, as_json=as_json)
    return result if isinstance(result, int) and not isinstance(result, bool) else exits.OK


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether the command line asks for JSON; also right when the rest of it is wrong."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        (word in {"--output", "-o"} and following == "json") or word in {"--output=json", "-o=json", "-ojson"}
        for word, following in pairs
    )


def _usage(error: CycloptsError) -> AerodromeError:
    chain = " ".join(error.command_chain or ())
    words = " ".join(str(error).split())
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        words = f"Nothing is known to do with: {' '.join(error.unused_tokens)}"
    said = Redactor().text(words)  # it may repeat a URL with a password in it
    return Invalid(said, code="usage", hint=f"`{' '.join(f'aerodrome {chain}'.split())} --help` shows how.")


def _defect(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("AERODROME_DEBUG"):
        raise error
    kind = type(error).__name__
    told = Invalid(
        f"aerodrome has a defect ({kind}).",
        code="internal-error",
        hint="AERODROME_DEBUG=1 shows where; please report it.",
    )
    exits.tell(told, as_json=as_json)
    return exits.INTERNAL


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

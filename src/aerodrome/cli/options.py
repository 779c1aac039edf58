"""Options that every command takes, and the way from them to the server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cyclopts import Group, Parameter

from aerodrome.cli import signin
from aerodrome.client.client import Client

COMMON: Final = Group("Common options", sort_key=99)
Output = Annotated[
    Literal["table", "json"],
    Parameter(name=["--output", "-o"], group=COMMON, help="For eyes, or for programs (a contract)."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """The options of a command that talks to a server."""

    output: Output = "table"
    url: Annotated[
        str | None,
        Parameter(
            group=COMMON, env_var="AERODROME_URL", help="The server; by default the one of the last `aerodrome login`."
        ),
    ] = None

    def connect(self) -> Client:
        """Open a conversation with the server, with the stored token or the one in AERODROME_TOKEN."""
        url, token = signin.credentials(self.url)
        return Client(url, token)


@Parameter(name="*")
@dataclass(frozen=True)
class Offline:
    """The options of a command that needs no server."""

    output: Output = "table"


COMMON_DEFAULTS: Final = Common()
OFFLINE_DEFAULTS: Final = Offline()


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    sys.stderr.write(text + "\n")

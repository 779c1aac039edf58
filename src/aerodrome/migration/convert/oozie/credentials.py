"""What the credentials that an action names say of its server.

Oozie fetches a token for the action with them (4.x/5.x, Hive2Credentials: the URL with ;principal= behind it), and beeline goes in with that token.
A worker goes in with a ticket of its own, for which the URL has to name the principal of the server: jdbc:hive2://HOST:PORT/DB;SESSION?CONF#VARIABLES.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function
from aerodrome.migration.convert.oozie.properties import configuration
from aerodrome.migration.convert.oozie.writing import grouped
from aerodrome.migration.convert.xmlreading import Element

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.actions import Action

_PRINCIPAL: Final = "hive2.server.principal"


def with_principal(url: str, principal: str) -> str:
    """Name the Kerberos principal of the server in a URL of Hive that names none."""
    if not principal or re.search(r";\s*principal\s*=", url):
        return url
    place = len(re.split(r"[?#]", url, maxsplit=1)[0])
    folder = "" if "/" in url[:place].partition("//")[2] else "/"
    return f"{url[:place]}{folder};principal={principal}{url[place:]}"


_FUNCTION: Final = Function("with_principal", "\n" + inspect.getsource(with_principal), (symbols.RE,))


def named(root: Element, action: Element) -> tuple[Element, ...]:
    """Give the credentials of a workflow that an action names."""
    every = root.first("credentials")
    wanted = [name.strip() for name in action.get("cred").split(",")]
    return tuple(item for item in every.every("credential") if item.get("name") in wanted) if every is not None else ()


def hive_url(action: Action, url: str) -> str:
    """Give the URL of a Hive server as a word, with the principal that the credentials of the action name."""
    settings = [configuration(item) for item in action.credentials if item.get("type") == "hive2"]
    principal = next((given[_PRINCIPAL] for given in settings if given.get(_PRINCIPAL)), "")
    if not principal:
        return action.word(url)
    if "${" not in url + principal:
        return action.word(with_principal(url.strip(), principal))
    compiler, needs = action.compiler, action.compiler.needs
    needs.functions[_FUNCTION.name] = _FUNCTION
    needs.filters[_FUNCTION.name] = Code(_FUNCTION.name)
    needs.is_quoting = True
    one, two = compiler.named(url.strip()), compiler.named(principal)
    return "{{ " + f"{grouped(one)} | {_FUNCTION.name}({two}) | quote" + " }}"

"""Finds what one Python file names: connections, variables, pools, environment variables. Pure; never imports what it reads."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aerodrome.parsing.contract import UsageKind

_BLOCK = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_IN_TEMPLATE: tuple[tuple[UsageKind, re.Pattern[str]], ...] = (
    ("connection", re.compile(r"\bconn\.get\(\s*['\"]([\w.:-]+)['\"]\s*(,)?")),
    ("connection", re.compile(r"\bconn\.(?!get\()([A-Za-z_]\w*)()")),
    ("variable", re.compile(r"\bvar\.(?:value|json)\.get\(\s*['\"]([^'\"]+)['\"]\s*(,)?")),
    ("variable", re.compile(r"\bvar\.(?:value|json)\.(?!get\()([A-Za-z_]\w*)()")),
)
_TAKES_CONNECTION_FIRST = {
    "FTPHook", "MongoHook", "MsSqlHook", "MySqlHook", "OracleHook", "PostgresHook", "RedisHook", "S3Hook", "SFTPHook",
    "SSHHook", "SnowflakeHook", "SqliteHook", "TrinoHook",
}  # fmt: skip
_GIVES_DEFAULT = {"default", "default_var"}


@dataclass(frozen=True)
class Mention:
    """One place that names an object."""

    kind: UsageKind
    name: str
    line: int
    is_required: bool
    via: str


@dataclass(frozen=True)
class Unit:
    """One function or class at the top of a module, or ("") everything else at its top."""

    mentions: tuple[Mention, ...]
    names: frozenset[str]  # plain names that it refers to
    attributes: frozenset[tuple[str, str]]  # name.attribute


@dataclass(frozen=True)
class Module:
    """What is known of a file's text."""

    units: Mapping[str, Unit] = field(default_factory=dict)
    imports: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # bound name -> (module, attribute or "")
    dags: tuple[tuple[str, int, int], ...] = ()  # dag_id, first and last line of its block; 0, 0: the whole file
    strings: frozenset[str] = frozenset()  # short texts, among them names of template files


def read(source: str, package: str = "") -> Module:
    """Read a file's text; an empty Module when it is not Python 3. `package` is the dotted folder, for relative imports."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return _read(tree, package)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Module()


def in_text(text: str, line: int = 1) -> Iterator[Mention]:
    """Give what the template expressions of a text name."""
    if "{{" not in text and "{%" not in text:
        return
    for block in _BLOCK.finditer(text):
        at = line + text.count("\n", 0, block.start())
        for kind, pattern in _IN_TEMPLATE:
            for match in pattern.finditer(block[1]):
                yield Mention(kind, match[1], at, not match[2], "template")


def _read(tree: ast.Module, package: str) -> Module:
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    units: dict[str, Unit] = {}
    rest: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            units[node.name] = _unit([node], constants)
        else:
            rest.append(node)
    units[""] = _unit(rest, constants)
    return Module(units, dict(_imports(tree, package)), tuple(_dags(tree, constants)), _strings(tree))


def _unit(nodes: list[ast.stmt], constants: Mapping[str, str]) -> Unit:
    mentions: list[Mention] = []
    names: set[str] = set()
    attributes: set[tuple[str, str]] = set()
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                attributes.add((node.value.id, node.attr))
            mentions.extend(_mentions(node, constants))
    return Unit(tuple(dict.fromkeys(mentions)), frozenset(names), frozenset(attributes))


def _mentions(node: ast.AST, constants: Mapping[str, str]) -> Iterator[Mention]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from in_text(node.value, node.lineno)
    elif isinstance(node, ast.Call):
        yield from _of_call(node, constants)
    elif isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        for key, value in zip(node.keys, node.values, strict=True):
            name, text = _text(key, constants), _text(value, constants)
            if name and text and _is_connection_argument(name):
                yield Mention("connection", text, value.lineno, True, name)
            elif name == "pool" and text and keys & {"owner", "retries", "retry_delay", "start_date", "queue"}:
                yield Mention("pool", text, value.lineno, True, "default_args")
    elif isinstance(node, ast.Subscript) and _dotted(node.value) in ("os.environ", "environ"):
        if isinstance(node.ctx, ast.Load) and (text := _text(node.slice, constants)):
            yield Mention("env", text, node.lineno, True, "os.environ")
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _of_defaults(node.args, constants)


def _of_call(node: ast.Call, constants: Mapping[str, str]) -> Iterator[Mention]:
    path = _dotted(node.func)
    owner, _, verb = path.rpartition(".")
    first = _text(node.args[0], constants) if node.args else None
    given = {keyword.arg for keyword in node.keywords}
    for keyword in node.keywords:
        text = _text(keyword.value, constants)
        if not text or keyword.arg is None:
            continue
        if _is_connection_argument(keyword.arg):
            yield Mention("connection", text, keyword.value.lineno, True, keyword.arg)
        elif keyword.arg == "pool" and verb not in ("DAG", "dag"):
            yield Mention("pool", text, keyword.value.lineno, True, "pool")
        elif keyword.arg == "key" and path.endswith("Variable.get"):
            first = text
    if not first:
        return
    if verb in ("get_connection", "get_connection_from_secrets") or path.endswith("Connection.get"):
        yield Mention("connection", first, node.lineno, True, path)
    elif verb in _TAKES_CONNECTION_FIRST:
        yield Mention("connection", first, node.lineno, True, verb)
    elif path.endswith("Variable.get") or path == "Variable.get":
        has_default = len(node.args) > 1 or bool(given & _GIVES_DEFAULT)
        yield Mention("variable", first, node.lineno, not has_default, "Variable.get")
    elif path in ("os.getenv", "getenv") or (owner in ("os.environ", "environ") and verb == "get"):
        yield Mention("env", first, node.lineno, False, path)


def _of_defaults(arguments: ast.arguments, constants: Mapping[str, str]) -> Iterator[Mention]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
    pairs += [(arg, value) for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    for argument, value in pairs:
        text = _text(value, constants)
        if text and _is_connection_argument(argument.arg):
            yield Mention("connection", text, value.lineno, False, f"default of {argument.arg}")


def _is_connection_argument(name: str) -> bool:
    return name == "conn_id" or name.endswith("_conn_id")


def _text(node: ast.AST | None, constants: Mapping[str, str]) -> str | None:
    """Give a literal text, also through a constant at the top of the file; None for anything that is computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found: str | None = node.value
    elif isinstance(node, ast.Name):
        found = constants.get(node.id)
    else:
        return None
    return None if not found or "{{" in found or len(found) > 250 else found


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(parts))


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name
                yield bound, (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])]).strip(".")
            for alias in node.names:
                yield alias.asname or alias.name, (module, alias.name)


def _dags(tree: ast.Module, constants: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """Give the dag_ids that the text tells, each with the lines of its block."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and (dag_id := _dag_id(item.context_expr, constants)):
                    inside.add(id(item.context_expr))
                    yield dag_id, node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if _dotted(call.func if call else decorator).rpartition(".")[2] != "dag":
                    continue
                named = _dag_id(call, constants) if call else None
                if call:
                    inside.add(id(call))
                yield named or node.name, node.lineno, node.end_lineno or node.lineno
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in inside:
            continue
        if _dotted(node.func).rpartition(".")[2] == "DAG" and (dag_id := _dag_id(node, constants)):
            yield dag_id, 0, 0


def _dag_id(call: ast.Call, constants: Mapping[str, str]) -> str | None:
    if _dotted(call.func).rpartition(".")[2] not in ("DAG", "dag"):
        return None
    for keyword in call.keywords:
        if keyword.arg == "dag_id":
            return _text(keyword.value, constants)
    return _text(call.args[0], constants) if call.args else None


def _strings(tree: ast.Module) -> frozenset[str]:
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 200
    )

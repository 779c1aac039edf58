"""Compiles EL into Jinja (arguments of tasks) and Python (branches), and collects what the DAG must declare for it.

Names become params; names whose value is put together at run time are written out where they are used. What has no equivalent raises
`Unsupported`, and the task that needs it becomes one that raises.
"""

from __future__ import annotations

import re
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Code, Function, Symbol
from aerodrome.migration.convert.oozie.comparing import compare, read_number
from aerodrome.migration.convert.oozie.counters import counter_of
from aerodrome.migration.convert.oozie.el import (
    Binary,
    Conditional,
    Index,
    Literal,
    Name,
    Node,
    Piece,
    Unary,
    parse,
)
from aerodrome.migration.convert.oozie.el import Function as Call
from aerodrome.migration.convert.oozie.functions import APP_PATH, CALLS, KINDS
from aerodrome.migration.convert.oozie.needs import Needs, SiteFunction, Unsupported, Words, output_key
from aerodrome.migration.convert.oozie.properties import Found, Scope
from aerodrome.migration.convert.oozie.writing import constant, grouped, literal, shell_word, string

_SHLEX: Final = Symbol("shlex", {"2.11": "", "3.3": ""})
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED: Final = {
    "get",
    "items",
    "keys",
    "values",
    "update",
    "pop",
    "copy",
    "setdefault",
    "validate",
    "dump",
    "popitem",
    "clear",
    "deserialize",
    "suppress_exception",
}
_LONGEST: Final = 100_000
_OF_SERVER: Final = {  # every job has them: Oozie and its client set them
    "user.name",
    "group.name",
    "mapreduce.job.user.name",
    APP_PATH,
    "oozie.coord.application.path",
}
_TIME: Final = "%Y-%m-%dT%H:%M"


class Compiler:
    """Compiles for one language: "jinja" or "python"; both share one `Needs`."""

    def __init__(self, scope: Scope, words: Words, needs: Needs, language: str = "jinja") -> None:
        self.scope, self.words, self.needs, self.language = scope, words, needs, language
        self.open: list[str] = []
        self.place = (0, False)
        self.is_message = False  # what is compiled is only read by people
        self.is_after_error = False  # it is only read when an action failed before

    # ---- whole texts

    def template(self, text: str, *, is_quoted: bool = False) -> str:
        """Give a Jinja template for a text; with `is_quoted` one shell word that is exactly its value."""
        parts: list[tuple[bool, str]] = []  # (is it plain, text)
        for piece in self.pieces(text):
            inner = piece if isinstance(piece, str) else self.text_of(piece)
            known = piece if isinstance(piece, str) else constant(inner)
            if known is None:
                parts.append((False, inner))
            elif parts and parts[-1][0]:
                parts[-1] = (True, parts[-1][1] + known)
            else:
                parts.append((True, known))
        written = ""
        for is_plain, part in parts:
            if is_plain:
                written += literal(shell_word(part) if is_quoted and part else part)
            else:
                self.needs.is_quoting |= is_quoted
                written += "{{ " + (f"{grouped(part)} | quote" if is_quoted else part) + " }}"
        return written or ("''" if is_quoted else "")

    def pieces(self, text: str) -> tuple[Piece, ...]:
        """Read a text."""
        try:
            return parse(text)
        except Invalid as error:
            raise Unsupported("el-invalid", error.message) from error

    def condition(self, text: str) -> str:
        """Give a Python condition for the predicate of a case."""
        pieces = tuple(piece for piece in self.pieces(text) if not (isinstance(piece, str) and not piece.strip()))
        if len(pieces) == 1 and not isinstance(pieces[0], str):
            return self.truth(pieces[0])
        if all(isinstance(piece, str) for piece in pieces):
            return repr("".join(map(str, pieces)).strip().lower() == "true")
        joined = " + ".join(repr(piece) if isinstance(piece, str) else grouped(self.text_of(piece)) for piece in pieces)
        return f'({joined}).strip().lower() == "true"'

    # ---- by type

    def kind(self, node: Node) -> str:
        """Tell the type of an expression: text, number, truth, time, map."""
        match node:
            case Literal(value):
                return "truth" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
            case Unary(operator, _):
                return "number" if operator == "-" else "truth"
            case Binary(operator, _, _):
                return "number" if operator in "+-*/%" else "truth"
            case Conditional(_, yes, no):
                return self.kind(yes) if self.kind(yes) == self.kind(no) else "text"
            case Call(name, _):
                return KINDS.get(name, "text")
            case Index():
                return "number" if counter_of(node) else "text"
        return "text"

    def text_of(self, node: Node) -> str:
        """Compile to a text, as Oozie writes the value."""
        kind, inner = self.kind(node), self.value(node)
        if kind == "text":
            return inner
        if kind == "time":
            return f'{inner}.strftime("{_TIME}{self.words.ending}")'
        if isinstance(node, Literal):
            return repr(str(node.value).lower() if kind == "truth" else str(node.value))
        if kind == "truth":
            return f'("true" if {inner} else "false")'
        if kind == "map":
            raise Unsupported("el-map", "a map cannot be written as text")
        return f"{grouped(inner)} | string" if self.language == "jinja" else f"str({inner})"

    def number_of(self, node: Node) -> str:
        if self.kind(node) == "number":
            return self.value(node)
        return read_number(self, self.text_of(node))

    def whole(self, node: Node) -> str:
        match node:
            case Literal(int()):
                return repr(node.value)
            case Unary("-", Literal(int() as value)):
                return repr(-value)
        return f"({self.number_of(node)} | int)" if self.language == "jinja" else f"int({self.number_of(node)})"

    def truth(self, node: Node) -> str:
        if self.kind(node) == "truth":
            return self.value(node)
        inner = grouped(self.text_of(node))
        return f'({inner} | lower) == "true"' if self.language == "jinja" else f'{inner}.strip().lower() == "true"'

    def value(self, node: Node) -> str:
        match node:
            case Literal(value):
                return string(value) if isinstance(value, str) else '""' if value is None else repr(value)
            case Name(name):
                return self.name(name)
            case Conditional(test, yes, no):
                same = self.kind(yes) == self.kind(no)
                first, second = (self.value(yes), self.value(no)) if same else (self.text_of(yes), self.text_of(no))
                return f"({first} if {self.truth(test)} else {second})"
            case Unary("-", inner):
                return f"-{grouped(self.number_of(inner))}"
            case Unary("empty", inner):
                return f"not {grouped(self.value(inner) if self.kind(inner) == 'map' else self.text_of(inner))}"
            case Unary(_, inner):
                return f"not ({self.truth(inner)})"
            case Binary():
                return self.binary(node)
            case Index(value, key):
                if read := counter_of(node):
                    return self.counter(*read)
                if self.kind(value) != "map":
                    raise Unsupported("el-index", "only maps of action data are looked into")
                return f'{self.value(value)}.get({self.text_of(key)}, "")'
            case Call(name, arguments):
                return self.call(name, arguments)

    def binary(self, node: Binary) -> str:
        if node.operator in ("and", "or"):
            return f"({self.truth(node.left)} {node.operator} {self.truth(node.right)})"
        if node.operator in "+-*/%":
            return f"({self.number_of(node.left)} {node.operator} {self.number_of(node.right)})"
        return compare(self, node)

    # ---- names

    def name(self, name: str) -> str:
        """Compile a variable: a param, or what it is put together from."""
        start, is_only = self.place
        found = self.scope.find(name, start, is_job_only=is_only)
        if found is None:
            return self.parameter(name, None)
        known = self.scope.constant(name, start, is_job_only=is_only)
        layer = self.scope.layers[found.layer]
        is_plain = all(isinstance(piece, str) for piece in found.pieces)
        if known is not None and layer.is_fixed and is_plain:
            return string(known)
        if known is not None and not layer.is_fixed and (is_plain or not layer.is_late):
            base = self.scope.base
            if start > base and self.scope.constant(name, base) != known:  # another layer's value of the same name
                return string(known)
            return self.parameter(name, known)
        made = self.put_together(name, found)
        if layer.is_fixed or layer.is_outward or Name(name) in found.pieces:
            return made
        return self.given_or(name, found, made)

    def given_or(self, name: str, found: Found, made: str) -> str:
        """Write a param that stands for itself when the run gives it, else for what its default is put together from."""
        start, is_only = self.place
        if constant(made) is not None:  # of values that nobody can give
            known = self.scope.constant(name, start, is_job_only=is_only)
            return made if known is None else self.parameter(name, known)
        first = self.scope.find(name, self.scope.base)
        is_other = first is not None and first.layer != found.layer  # that is what the run can give
        if is_other or (name in self.needs.parameters and name not in self.needs.computed):
            return made
        self.needs.parameters[name] = None
        self.needs.computed[name] = self.scope.layers[found.layer].values[name]
        given, none = self.access(name), "none" if self.language == "jinja" else "None"
        return f"({given} if {given} is not {none} else {made})"

    def put_together(self, name: str, found: Found) -> str:
        """Write the value of a name out."""
        if len(self.open) > 20:
            raise Unsupported("el-recursion", f"the value of {name} uses itself")
        saved, words = self.place, self.words
        self.open.append(name)
        parts: list[str] = []
        for piece in found.pieces:
            if isinstance(piece, str):
                parts.append(string(piece))
                continue
            layer = self.scope.layers[found.layer]
            self.words = layer.words or words
            self.place = self.scope.behind(found, name, name if piece == Name(name) else "")
            parts.append(grouped(self.text_of(piece)))
            if sum(map(len, parts)) > _LONGEST:
                raise Unsupported("el-recursion", f"the value of {name} grows without end")
        self.open.pop()
        self.place, self.words = saved, words
        return parts[0] if len(parts) == 1 else f"({(' ~ ' if self.language == 'jinja' else ' + ').join(parts)})"

    def parameter(self, name: str, default: str | None) -> str:
        if self.needs.parameters.get(name) is None or name in self.needs.optional:
            self.needs.parameters[name] = default
            self.needs.computed.pop(name, None)
        self.needs.optional.discard(name)
        return self.access(name)

    def access(self, name: str) -> str:
        if self.language == "jinja" and _PLAIN.match(name) and name not in _RESERVED:
            return f"params.{name}"
        return f"params[{string(name)}]"

    # ---- functions

    def call(self, name: str, arguments: tuple[Node, ...]) -> str:
        """Compile a call; Unsupported names what has no equivalent."""
        made = CALLS.get(name)
        if name in self.words.functions:
            return self.of_site(self.words.functions[name], name, arguments)
        if name == "hadoop:counters":
            raise Unsupported(
                "el-counters",
                "only single counters of map-reduce actions are read, not all, nor those of other actions",
            )
        if made is None:
            raise Unsupported("el-function", f"{name}() has no equivalent")
        try:
            return made(self, *arguments)
        except TypeError as error:
            raise Unsupported("el-arguments", f"{name}() has wrong arguments") from error

    def of_site(self, site: SiteFunction, name: str, arguments: tuple[Node, ...]) -> str:
        """Compile a call of a function that the profile describes."""
        plain = re.sub(r"\W+", "_", name)
        if site.value is not None:
            self.needs.caveats["site-function"] = f"{name}() is always {site.value!r}, as the profile says"
            return string(site.value)
        if site.path:
            module = site.path.rpartition(".")[0]
            code = Code(site.path, (Symbol(module, {"2.11": "", "3.3": ""}),))
            self.needs.caveats["site-function"] = f"{name}() is {site.path}(), which the project has to have"
        elif len(arguments) != len(site.arguments):
            raise Unsupported("el-arguments", f"{name}() is given {len(arguments)} arguments, the profile names others")
        else:
            imports = tuple(Symbol(module, {"2.11": "", "3.3": ""}) for module in site.imports)
            given = ", ".join(site.arguments)
            text = f'\ndef {plain}({given}):\n    """Give {name}() as the profile says."""\n    return str({site.python})\n'
            self.needs.functions[plain] = Function(plain, text, imports)
            code = Code(plain)
            self.needs.caveats["site-function"] = f"{name}() is computed as the profile says"
        macro = self.macro(plain, code)
        return f"{macro}({', '.join(self.text_of(item) for item in arguments)})"

    def conf(self, key: Node) -> str:
        if not isinstance(key, Literal):
            raise Unsupported("el-dynamic", "the name in wf:conf() is not fixed")
        name = str(key.value)
        start, is_only = self.place
        if self.scope.find(name, start, is_job_only=is_only) is not None or name in _OF_SERVER:
            return self.name(name)
        if name in self.needs.parameters:
            return self.access(name)
        self.needs.parameters[name] = ""
        self.needs.optional.add(name)
        return self.access(name)

    def named(self, name: str) -> str:
        """Compile the name of an application, which may be put together from values of the run."""
        pieces = self.pieces(name)
        parts = [string(piece) if isinstance(piece, str) else grouped(self.text_of(piece)) for piece in pieces]
        if len(parts) < 2:
            return parts[0] if parts else '""'
        return f"({(' ~ ' if self.language == 'jinja' else ' + ').join(parts)})"

    def filtered(self, node: Node, jinja: str, python: str) -> str:
        inner = grouped(self.text_of(node))
        return f"({inner} | {jinja})" if self.language == "jinja" else f"{inner}.{python}"

    def joined(self, *nodes: Node) -> str:
        return f"({(' ~ ' if self.language == 'jinja' else ' + ').join(grouped(self.text_of(node)) for node in nodes)})"

    def macro(self, name: str, code: Code) -> str:
        if self.language == "jinja":
            self.needs.macros[name] = code
        else:
            self.needs.functions.setdefault(f"import {name}", Function(f"import {name}", "", code.imports))
        return name if self.language == "jinja" else code.text

    def action_data(self, node: Node) -> str:
        """Compile the data of an action: empty when it has not run or gave none (Oozie 4.x/5.x: DagELFunctions.wf_actionData)."""
        if not isinstance(node, Literal):
            raise Unsupported("el-action-data", "the action whose data is read is not fixed")
        name = str(node.value)
        if name not in self.words.tasks:
            self.needs.caveats["action-data-absent"] = (
                f"{name} is no action of this workflow: its data is empty, as in Oozie"
            )
            return "({})"
        return f"(ti.xcom_pull(task_ids={string(self.words.tasks[name])}) or {{}})"

    def counter(self, action: str, counter: tuple[str, str]) -> str:
        """Compile a counter of a map-reduce action, which gives those that are read."""
        if counter not in self.words.counters.get(action, ()):
            raise Unsupported("el-counters", f"the counters of {action} are those of no map-reduce action here")
        self.needs.caveats["hadoop-counters"] = "a counter that the job never had is 0; in Oozie it is empty"
        group, name = counter
        return f"ti.xcom_pull(task_ids={string(self.words.tasks[action])})[{string(group)}][{string(name)}]"

    def probe(self, function: str, flag: str, path: Node) -> str:
        if self.words.probe is None:
            raise Unsupported("el-fs", "no way to HDFS is known in this profile")
        self.needs.functions[self.words.probe.name] = self.words.probe
        if function == "hdfs_size" and self.words.size_probe is not None:
            self.needs.functions[function] = self.words.size_probe
        if self.language == "jinja":
            self.needs.macros[function] = Code(function)
        arguments = [*([string(flag)] if flag else []), self.text_of(path)]
        return f"{function}({', '.join(arguments)})"

    # ---- data events

    def uris(self, node: Node, *, is_output: bool = False) -> str:
        inner = self.event(node, is_output=is_output)
        return f'({inner} | join(","))' if self.language == "jinja" else f'",".join({inner})'

    def event(self, node: Node, *, is_output: bool = False) -> str:
        name = str(node.value) if isinstance(node, Literal) else ""
        found = self.words.events.get(output_key(name) if is_output else name)
        if found is None:
            raise Unsupported("el-event", "the data event is not known in this coordinator")
        return found

"""Names that the context of templates had and has no more, and attributes of what it still has: written anew where there is an equal, else found.

What is gone says the table of `runtime`, measured in the packages. A DAG's templates are strict in Airflow 3: the task fails at such a name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.airflowkit.code import REMOVED_CONTEXT
from aerodrome.migration.codemod.contract import Change, Edit, Options, Remaining, Rule, Spot
from aerodrome.migration.codemod.rules import context_keys, runtime_api
from aerodrome.migration.codemod.rules.moments import KEYS, Moments, pendulum_of
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.rules.written_for import is_for_1, is_for_3
from aerodrome.migration.codemod.runtime import gone_names
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import Inner, rewrite_node, rewrite_text, texts

_HINTS = {
    "conf": "Write what it says, or read it in code: airflow.configuration.conf. It is not the run's dag_run.conf.",
    "tables": "Use params.tables, which it was.",
    "test_mode": "Nothing says it: compare dag_run.run_type, or ask a variable of your own.",
    "expanded_ti_count": "Count what is expanded.",
}
_OTHER = "There is no equal: make it by user_defined_macros or params."
_WORD = re.compile(r"(?<![\w.'\"/$-])([A-Za-z_]\w*)\b(?!\s*=[^=])")
_TEXT = re.compile(r"""(\\?'[^']*'|\\?"[^"]*")""")
_OBJECT = re.compile(
    r"(?<![\w.'\"])(?:(ti|task_instance)|(dag_run)|(dag|task\.dag|ti\.task\.dag)|(task|ti\.task))\.(\w+)\b(\(\))?"
)
_TITLES = {"ti": "A task instance", "dag_run": "A DAG run", "dag": "A DAG", "task": "A task"}
_MACRO = re.compile(r"(?<![\w.'\"])macros\.(\w+)")
_IS_DST = re.compile(rf"(?<![\w.'\"])((?:{'|'.join(KEYS)})\.is_dst)\b(?!\s*\()")
_MOMENT = re.compile(rf"(?<![\w.'\"])(?:{'|'.join(KEYS)})\.(\w+)\b")
_OTHERS = re.compile(rb"\bjinja2\b|\.render\(|from_string\(")
_DECLARED = re.compile(r"\{%-?\s*(?:set|for|macro|with|import|from)\b(.*?)(?:\bin\b|=(?!=)|%\})", re.DOTALL)
_NO_MACRO = "`macros.{}` is gone in Airflow 3."
_OF_MACROS = "Give it to the DAG by user_defined_macros."
_KNOWN_MACROS = frozenset(
    {
        "dateutil", "datetime", "datetime_diff_for_humans", "ds_add", "ds_format", "ds_format_locale", "hive", "json", "random", "time", "timedelta",
        "uuid", "yaml",
    }
)  # fmt: skip
"""What `macros` has in 3.3.2 (airflow.sdk.execution_time.macros), beside what plugins bring, each under its name; hive is that of a provider."""
_UNKNOWN_MACRO = "Airflow has no `macros.{}`, and no plugin of this project is called so."
_OF_PLUGINS = "Bring the plugin along, or give the function to the DAG by user_defined_macros."
_PLUGIN = re.compile(rb"(?m)^\s+name\s*(?::\s*\w+\s*)?=\s*['\"](\w+)['\"]")
_NO_MOMENT = "Moments of pendulum 3 have no `{}`."
_OF_MOMENTS = "Write it by what pendulum 3 has: isoweekday(), strftime(…), format(…), date()."


def inside(
    major: int, said: list[tuple[str, str]], own: frozenset[str] | None, plugins: frozenset[str] | None = None
) -> Inner:
    """Give what rewrites a Jinja block of a source of Airflow 1.10 or 2; `said` gets what remains.

    `own`: the names that the text gives a meaning itself; None where somebody else than Airflow may render it. `plugins`: those of the project; None
    where they are not known.
    """
    gone = (gone_names("context", major) - REMOVED_CONTEXT.keys() - {"triggering_dataset_events"}) | {"conf"}
    known = frozenset() if own is None else gone - own
    macros, moments = gone_names("macros", major), gone_names("moment", major)

    def rewrite(text: str, _quote: str) -> tuple[str, int]:
        count = 0

        def word(match: re.Match[str]) -> str:
            nonlocal count
            name = match[1]
            if name not in known:
                return match[0]
            if major == 1 and name in context_keys.DAYS:
                count += 1
                return "ds"
            said.append((f"`{name}` is no longer in the task context.", _HINTS.get(name, _OTHER)))
            return match[0]

        def attribute(match: re.Match[str]) -> str:
            nonlocal count
            new = _attribute(match, said)
            count += new != match[0]
            return new

        text = _OBJECT.sub(attribute, text)
        text = "".join(part if at % 2 else _WORD.sub(word, part) for at, part in enumerate(_TEXT.split(text)))
        asked = _MACRO.findall(text) if own is not None else []
        said.extend((_NO_MACRO.format(name), _OF_MACROS) for name in asked if name in macros)
        said.extend(
            (_UNKNOWN_MACRO.format(name), _OF_PLUGINS)
            for name in asked
            if plugins is not None and name not in macros | plugins | _KNOWN_MACROS
        )
        if major == 1:
            text, done = _IS_DST.subn(r"\1()", text)
            count += done
            said.extend((_NO_MOMENT.format(name), _OF_MOMENTS) for name in _MOMENT.findall(text) if name in moments)
        return text, count

    return rewrite


def _attribute(match: re.Match[str], said: list[tuple[str, str]]) -> str:
    kind = next(kind for kind, found in zip(_TITLES, match.groups()[:4], strict=True) if found)
    name, called = match[5], match[6] or ""
    if name == "execution_date":
        return match[0]  # of the rule context-key
    if kind == "ti" and name == "get_dagrun" and called:
        return "dag_run"
    new, hint = runtime_api.in_template(kind, name)
    if new and not called:
        return new
    if new or hint:
        said.append((f"{_TITLES[kind]} has no `{name}` in Airflow 3's tasks.", hint))
    return match[0]


def _own(text: str) -> frozenset[str]:
    """Give the names that a text's blocks give a meaning."""
    return frozenset(word for found in _DECLARED.findall(text) for word in re.findall(r"\w+", found))


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_for_3(source, options):
        return
    major = 1 if is_for_1(source, options) else 2
    is_others = _OTHERS.search(source.text) is not None
    for node in texts(source):
        said: list[tuple[str, str]] = []
        own = None if is_others else _own(source.code(node))
        if change := rewrite_node(source, node, inside(major, said, own, _plugins(options))):
            yield change
        yield from (Spot(node.lineno, why, hint) for why, hint in dict.fromkeys(said))
    yield from _in_python(source, major)
    if pendulum_of(source.text, options) == 1:
        yield from _moments(source)


def _plugins(options: Options) -> frozenset[str] | None:
    """Give the names of the project's plugins; None where there is no project to be seen."""
    project = options.project
    if project is None:
        return None

    def look() -> frozenset[str]:
        texts = (project.text(file) for file in project.mentioning(b"AirflowPlugin"))
        return frozenset(name.decode() for text in texts for name in _PLUGIN.findall(text))

    found: frozenset[str] = project.once("names of plugins", look)
    return found


def _in_python(source: Source, major: int) -> Iterator[Spot]:
    gone = gone_names("context", major) & _HINTS.keys() - {"conf"}  # which the facts tell
    asked: list[tuple[ast.expr, list[ast.expr]]] = [(node, [node.slice]) for node in source.each(ast.Subscript)]
    asked += [(call, call.args[:1]) for call in source.each(ast.Call)]
    for node, keys in asked:
        name = getattr(keys[0], "value", None) if keys else None
        if name not in gone or context_value(source, node) != name or context_keys.is_filled(source, node, str(name)):
            continue
        yield Spot(node.lineno, f"`{name}` is no longer in the task context.", _HINTS[str(name)])


def _moments(source: Source) -> Iterator[Change | Spot]:
    """What moments of pendulum 1 had, in Python."""
    gone = gone_names("moment", 1)
    asked = [node for node in source.each(ast.Attribute) if node.attr in gone or node.attr == "is_dst"]
    moments = Moments(source) if asked else None
    for node in asked:
        parent = source.parents[node]
        if moments is None or not moments.has(node.value):
            continue
        if node.attr in gone:
            yield Spot(node.lineno, _NO_MOMENT.format(node.attr), _OF_MOMENTS)
        elif not (isinstance(parent, ast.Call) and parent.func is node):
            yield Change((Edit(source.end(node), source.end(node), "()"),))


def in_template(text: str, name: str, options: Options) -> tuple[str, int, tuple[Remaining, ...]]:
    """Do the same for a file that tasks render: its text, how often it was rewritten, and what remains."""
    if options.source_version.startswith("3"):
        return text, 0, ()
    said: list[tuple[str, str]] = []
    own, major = _own(text), 1 if options.source_version.startswith("1.") else 2
    text, count = rewrite_text(text, inside(major, said, own, _plugins(options)))
    found = []
    for why, hint in dict.fromkeys(said):
        word = why.partition("`")[2].partition("`")[0].rpartition(".")[2]
        blocks = re.finditer(rf"\{{[{{%](?:(?![}}%]\}}).)*?\b{word}\b", text, re.DOTALL)
        line = next((text.count("\n", 0, item.end()) + 1 for item in blocks), 1)
        found.append(Remaining(RULE.code, name, line, why, hint))
    return text, count, tuple(found)


RULE = Rule(
    code="template-name",
    title="Names that templates had and have no more, and attributes of runs and task instances in templates",
    words=(
        b"{{",
        b"{%",
        b"tables",
        b"test_mode",
        b"is_dst",
        *sorted(name.encode() for name in gone_names("moment", 1)),
    ),
    before="""
from airflow.operators.bash import BashOperator

BashOperator(task_id="a", bash_command="load {{ ti.dag_run.conf.day }} {{ ti.operator }} {{ dag.concurrency }}")
BashOperator(task_id="b", bash_command="load {{ conf.get('core', 'dags_folder') }} {{ ti.job_id }}")
""",
    after="""
from airflow.operators.bash import BashOperator

BashOperator(task_id="a", bash_command="load {{ dag_run.conf.day }} {{ task.task_type }} {{ dag.max_active_tasks }}")
BashOperator(task_id="b", bash_command="load {{ conf.get('core', 'dags_folder') }} {{ ti.job_id }}")
""",
    find=_find,
    finding="`conf` is no longer in the task context.",
)

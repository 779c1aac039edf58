"""The errors of actions in EL: `wf:lastErrorNode()`, `wf:errorCode()`, `wf:errorMessage()`.

Oozie keeps code and message of an action that ended with an error, and nothing of others (4.x/5.x, DagELFunctions: wf_errorCode). Airflow has
the log of the task: a code or a message stands for that there was an error, and is compared with nothing but null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert.oozie.el import Binary, Function, Literal, Node
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.writing import grouped, string

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.compiling import Compiler

_TEXTS: Final = ("wf:errorCode", "wf:errorMessage")
_LAST: Final = "wf:lastErrorNode"
_NONE: Final = '""'


def is_error_text(node: Node) -> bool:
    """Say whether an expression is the code or the message of an error."""
    return isinstance(node, Function) and node.name in _TEXTS


def refuse_compared(node: Binary) -> None:
    """Refuse a comparison with a code or a message, which nobody here knows."""
    for item in (node.left, node.right):
        if is_error_text(item) and isinstance(item, Function):
            raise Unsupported(
                "el-error", f"what {item.name}() gives is not known to Airflow, and nothing can be compared with it"
            )


def last_error_node(compiler: Compiler) -> str:
    """Compile `wf:lastErrorNode()`: the last of the tasks with an error after which the run went on."""
    if not (pulled := _failed(compiler)):
        return _NONE
    if compiler.language == "jinja":
        return f'({pulled} | select | list | last | default("", true))'
    return f'([item for item in {pulled} if item] or [""])[-1]'


def error_code(compiler: Compiler, node: Node) -> str:
    """Compile `wf:errorCode()`: FAILED for an action with an error, else an empty text."""
    if (made := _where_failed(compiler, node, '"FAILED"')) != _NONE:
        compiler.needs.caveats["error-code"] = "Airflow has no error codes: the code is given as FAILED"
    return made


def error_message(compiler: Compiler, node: Node) -> str:
    """Compile `wf:errorMessage()`: which task has the log, for an action with an error, else an empty text."""
    name, mark = grouped(compiler.text_of(node)), "~" if compiler.language == "jinja" else "+"
    made = _where_failed(compiler, node, f'("task " {mark} {name} {mark} " failed, see its log")')
    if made != _NONE:
        compiler.needs.caveats["error-text"] = (
            "the text of an error is in the log of the failed task; messages name the task"
        )
    return made


def _where_failed(compiler: Compiler, node: Node, text: str) -> str:
    """Write a text for an action that ended with an error, an empty one for others."""
    if isinstance(node, Function) and node.name == _LAST:
        if compiler.is_after_error:
            return text
        test = last_error_node(compiler)
    elif pulled := _failed(compiler):
        name = string(str(node.value)) if isinstance(node, Literal) else grouped(compiler.text_of(node))
        test = f"{name} in {pulled}"
    else:
        test = _NONE
    return _NONE if test == _NONE else f'({text} if {test} else "")'


def _failed(compiler: Compiler) -> str:
    """Write the list of the tasks that failed and after which the run went on; "" where there is none."""
    routers = list(compiler.words.routers)
    return f'ti.xcom_pull(task_ids={routers!r}, key="error_node")'.replace("'", '"') if routers else ""

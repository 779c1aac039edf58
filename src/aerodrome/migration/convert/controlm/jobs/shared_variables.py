r"""Variables that a job sets for others when it starts: global ones (`%%\NAME`), those of a pool and those of its SMART folder.

Control-M, user-defined variables (9.0.19, 9.0.21): `%%\` creates or changes a global variable, which others name without it; `%%\\NAME`
belongs to the SMART folder, `%%\\POOL\NAME` to a pool. They are resolved before the job is submitted.
"""

from __future__ import annotations

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Expression
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.jobs.workbench import Step, Workbench
from aerodrome.migration.convert.controlm.variables.autoedit import is_of_folder, variable_key
from aerodrome.migration.convert.controlm.variables.scoping import shared


def set_shared(bench: Workbench) -> None:
    """Put tasks before those of a job that set its shared variables; one task, or more where a value reads what was set before it."""
    groups: list[dict[str, Expression]] = []
    for item in shared(bench.job):
        key, value = variable_key(item.name, bench.scope.folder), bench.value(item.value)
        if not groups or any(f"'{known}'" in value for known in groups[-1]):
            groups.append({})
        groups[-1][key] = value
        if is_of_folder(item.name):
            text = f"%%{item.name} is the Airflow variable {key}, which all runs of the folder share: runs of two dates at once see one value."
            bench.note("variable-shared", text)
        if is_of_folder(item.name) and item.name.strip("\\") in bench.scope.variables:
            text = f"It changes %%{item.name}, to which the folder gives a value of its own: jobs that name it find that of the folder where they do not write the backslashes."
            bench.note("variable-shared", text)
    if not groups:
        return
    bench.work.functions.append(snippets.SET_VARIABLES)
    steps = [
        Step(
            "_sets" if not number else f"_sets_{number + 1}",
            symbols.PYTHON,
            (("python_callable", Code("set_variables")), ("op_kwargs", {"values": values})),
            is_setting=True,
        )
        for number, values in enumerate(groups)
    ]
    bench.work.steps = [*steps, *bench.work.steps]

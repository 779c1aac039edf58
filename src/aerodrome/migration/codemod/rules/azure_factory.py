"""Data Factory's operators, which took the factory from the connection when nobody named one, and insist on it now.

What the connection says is rendered into the argument, as the hook read it (apache-airflow-providers-microsoft-azure 5.0,
hooks/data_factory.py: provide_targeted_factory).
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

_AZURE = "airflow.providers.microsoft.azure"
_CLASSES = frozenset(
    {
        f"{_AZURE}.operators.data_factory.AzureDataFactoryRunPipelineOperator",
        f"{_AZURE}.sensors.data_factory.AzureDataFactoryPipelineRunStatusSensor",
    }
)
_ARGUMENTS = ("resource_group_name", "factory_name")
_CONNECTION = "azure_data_factory_conn_id"


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        call = made.call
        missing = [name for name in _ARGUMENTS if not keyword(call, name)]
        if made.names.isdisjoint(_CLASSES) or not missing or has_open_end(call) or made.node is not call.func:
            continue
        given = {
            name: {
                source.code(found[1])
                for mapping, way in dags.dictionaries(source, dags.ANY)
                if way == "default_args" and (found := dags.entry(mapping, name))
            }
            for name in (*missing, _CONNECTION)
        }
        missing = [name for name in missing if not given[name]]
        item = keyword(call, _CONNECTION)
        value = dags.constant(source, item.value) if item else None
        name = "azure_data_factory_default" if item is None else getattr(value, "value", None)
        if not missing:
            continue
        if not isinstance(name, str) or not name.isidentifier() or (item is None and given[_CONNECTION]):
            yield Spot(
                call.lineno,
                f"{source.code(made.node).rpartition('.')[2]} needs `{'`, `'.join(missing)}` now; "
                "before, the connection said them.",
                "Write what the extra of the connection says.",
            )
            continue
        extra = f"conn.{name}.extra_dejson"
        word = missing[0]  # the next round says the other
        text = f"{{{{ {extra}.get('{word}') or {extra}['extra__azure_data_factory__{word}'] }}}}"
        yield Change((add_keyword(source, call, word, f'"{text}"'),))


RULE = Rule(
    code="azure-data-factory",
    title="Data Factory's operators are told the factory that their connection names",
    words=(b"AzureDataFactory",),
    before="""
from airflow.providers.microsoft.azure.operators.data_factory import AzureDataFactoryRunPipelineOperator

run = AzureDataFactoryRunPipelineOperator(task_id="run", pipeline_name="sales", azure_data_factory_conn_id="factory")
""",
    after="""
from airflow.providers.microsoft.azure.operators.data_factory import AzureDataFactoryRunPipelineOperator

run = AzureDataFactoryRunPipelineOperator(task_id="run", pipeline_name="sales", azure_data_factory_conn_id="factory", resource_group_name="{{ conn.factory.extra_dejson.get('resource_group_name') or conn.factory.extra_dejson['extra__azure_data_factory__resource_group_name'] }}", factory_name="{{ conn.factory.extra_dejson.get('factory_name') or conn.factory.extra_dejson['extra__azure_data_factory__factory_name'] }}")
""",
    find=_find,
    is_for_2=True,
)

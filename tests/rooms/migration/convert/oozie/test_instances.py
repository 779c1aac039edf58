"""Which instances a run waits for when the definition computes them: conditions, params, ranges from a fixed time, minimums with a time to wait."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie import inside
from aerodrome.migration.convert.oozie.reading import read

HOURLY = '<dataset name="d" frequency="${coord:hours(1)}" initial-instance="2026-01-01T00:00Z" timezone="UTC"><uri-template>/d/${YEAR}${MONTH}${DAY}${HOUR}</uri-template></dataset>'
NOMINAL = datetime(2026, 2, 1, tzinfo=UTC)


def coordinator(folder: Path, data_in: str, logic: str = "", more: str = "") -> Dag:
    (folder / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.5" name="c" frequency="${coord:months(1)}" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z" timezone="UTC">'
        f"<datasets>{HOURLY}{more}</datasets><input-events>{data_in}</input-events>{logic}<action><workflow><app-path>/elsewhere/w</app-path></workflow></action></coordinator-app>"
    )
    return read(folder, {}).dags[0]


def names_of(dag: Dag, monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    """Run the functions of a DAG's file with the plugin that stands beside it."""
    monkeypatch.syspath_prepend(str(Path(inside.__path__[0])))
    monkeypatch.delitem(sys.modules, "oozie_instances", raising=False)
    names: dict[str, Any] = {}
    exec("from __future__ import annotations\nfrom oozie_instances import *\nfrom datetime import *", names)
    for function in dag.functions:
        exec(function.source, names)
    return names | given


RANGE = """<data-in name="in" dataset="d"><start-instance>${coord:current(0)}</start-instance>
<end-instance>${(freq == "month") ? coord:current(0): (freq == "day") ? coord:current(coord:daysInMonth(0) - 1 + delay): coord:current(coord:daysInMonth(0) * 24 - 1 + delay)}</end-instance></data-in>"""


@pytest.mark.parametrize(("freq", "delay", "count"), [("month", "0", 1), ("day", "2", 30), ("hour", 1, 673)])
def test_an_instance_may_depend_on_values_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, freq: str, delay: object, count: int
) -> None:
    dag = coordinator(tmp_path, RANGE)
    assert {item.name for item in dag.parameters} >= {"freq", "delay"}
    uris = names_of(dag, monkeypatch)["in_uris"](NOMINAL, {"freq": freq, "delay": delay})
    assert (uris[-1], len(uris)) == ("/d/2026020100", count)  # the newest first, as Oozie


def test_a_condition_that_is_known_is_decided_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.properties").write_text("freq=day\ndelay=0\n")
    dag = coordinator(tmp_path, RANGE)
    assert "params[" not in next(item.source for item in dag.functions if item.name == "in_uris")
    assert len(names_of(dag, monkeypatch)["in_uris"](NOMINAL, {})) == 28


def test_a_range_from_a_fixed_time_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = coordinator(
        tmp_path,
        '<data-in name="in" dataset="d"><start-instance>2026-01-31T22:00Z</start-instance><end-instance>${coord:current(-1)}</end-instance></data-in>',
    )
    uris = names_of(dag, monkeypatch)["in_uris"]
    assert uris(NOMINAL, {}) == ["/d/2026013123", "/d/2026013122"]
    with pytest.raises(ValueError, match="Oozie refuses"):
        uris(NOMINAL - timedelta(days=1), {})


DAILY = '<dataset name="day" frequency="${coord:days(1)}" initial-instance="2025-12-01T00:00Z" timezone="UTC"><uri-template>/d/${MONTH}${DAY}</uri-template></dataset>'


@pytest.mark.parametrize(
    ("unit", "amount", "oldest"), [("Days", -1, "0129"), ("Weeks", -1, "0125"), ("Months", -1, "0101"), ("Months", -2, "1201")]
)  # fmt: skip
def test_a_range_from_the_begin_of_a_day_week_or_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, amount: int, oldest: str
) -> None:
    data_in = (
        f'<data-in name="in" dataset="day"><start-instance>${{coord:endOf{unit}({amount})}}</start-instance>'
        "<end-instance>${coord:current(0)}</end-instance></data-in>"
    )
    uris = names_of(coordinator(tmp_path, data_in, more=DAILY), monkeypatch)["in_uris"]
    found = uris(datetime(2026, 1, 29, 5, tzinfo=UTC), {})
    assert (found[0], found[-1]) == ("/d/0129", f"/d/{oldest}")


def test_offsets_are_counted_from_the_current_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = '<data-in name="one" dataset="d"><instance>${coord:offset(30, "MINUTE")}</instance></data-in>'
    some = (
        '<data-in name="some" dataset="d"><start-instance>${coord:offset(-90, "MINUTE")}</start-instance>'
        '<end-instance>${coord:offset(1, "HOUR")}</end-instance></data-in>'
    )
    names = names_of(coordinator(tmp_path, one + some), monkeypatch)
    late = NOMINAL + timedelta(minutes=45)
    assert names["one_uris"](late, {}) == ["/d/2026020100"]
    assert names["some_uris"](late, {}) == ["/d/2026020101", "/d/2026020100", "/d/2026013123"]


@pytest.mark.parametrize(
    ("start", "end"),
    [("${coord:latest(-1)}", "${coord:current(0)}"), ("${coord:endOfDays(0)}", "${coord:endOfDays(1)}"), ("", "${coord:endOfDays(0)}")],
)  # fmt: skip
def test_what_oozie_refuses_raises(tmp_path: Path, start: str, end: str) -> None:
    text = (
        f"<start-instance>{start}</start-instance><end-instance>{end}</end-instance>"
        if start
        else f"<instance>{end}</instance>"
    )
    dag = coordinator(tmp_path, f'<data-in name="in" dataset="d">{text}</data-in>')
    assert [item.element for item in dag.accounts if item.outcome == "raises"] == ["coordinator/data-in"]


INPUTS = '<data-in name="in" dataset="d"><start-instance>${coord:current(-2)}</start-instance><end-instance>${coord:current(0)}</end-instance></data-in>'


@pytest.mark.parametrize(
    ("least", "age", "there", "is_done"),
    [
        (2, 60, {"22", "23", "00"}, True),  # all are there: nothing to wait for
        (2, 5, {"22", "00"}, False),  # enough, but more may come in the first ten minutes
        (2, 60, {"22", "00"}, True),
        (2, 60, {"22"}, False),
        (0, 60, set(), True),
    ],
)
def test_a_minimum_waits_for_more_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, age: int, there: set[str], is_done: bool
) -> None:
    logic = f'<input-logic><or name="any" min="{least}" wait="10"><data-in dataset="in"/></or></input-logic>'
    dag = coordinator(tmp_path, INPUTS, logic)
    names = names_of(
        dag,
        monkeypatch,
        hdfs_test=lambda _, uri: uri.partition("/_")[0][-2:] in there,
        PokeReturnValue=lambda done, value: (done, value),
    )
    for function in dag.functions:
        exec(function.source, names) if function.name != "hdfs_test" else None
    made = SimpleNamespace(queued_at=datetime.now(UTC) - timedelta(minutes=age))
    done, found = names["inputs_arrived"]({}, NOMINAL, made)
    assert done is is_done
    assert len(found["any"]) == (len(there) if is_done else 0)


@pytest.mark.parametrize(
    ("kind", "least", "there", "expected"),
    [
        ("latest", "", {"0131", "0130", "0129"}, ["/d/0131", "/d/0130"]),
        ("latest", "", {"0131"}, None),
        ("latest", 'min="1"', {"0131"}, ["/d/0131"]),
        ("latest", 'min="0"', set(), None),
        ("future", "", {"0201", "0203"}, ["/d/0201", "/d/0203"]),
        ("future", "", {"0201"}, None),
    ],
)
def test_latest_and_future_have_their_part_in_input_logic(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    least: str,
    there: set[str],
    expected: list[str] | None,
) -> None:
    first, last = ("latest(-1)", "latest(0)") if kind == "latest" else ("future(0, 5)", "future(1, 5)")
    inputs = (
        f'<data-in name="in" dataset="day"><start-instance>${{coord:{first}}}</start-instance>'
        f"<end-instance>${{coord:{last}}}</end-instance></data-in>"
    )
    logic = f'<input-logic><and name="all" {least}><data-in dataset="in"/></and></input-logic>'
    dag = coordinator(tmp_path, inputs, logic, DAILY)
    names = names_of(dag, monkeypatch)
    names["inputs_arrived"].__globals__.update(
        PokeReturnValue=lambda done, value: (done, value),
        hdfs_test=lambda _, uri: uri.partition("/_")[0][-4:] in there,
    )
    made = SimpleNamespace(start_date=NOMINAL, queued_at=NOMINAL)
    assert names["inputs_arrived"]({}, NOMINAL, made) == (expected is not None, {"all": expected or []})


def test_latest_is_not_combined(tmp_path: Path) -> None:
    inputs = '<data-in name="in" dataset="day"><instance>${coord:latest(0)}</instance></data-in>'
    dag = coordinator(tmp_path, inputs, '<input-logic><combine><data-in dataset="in"/></combine></input-logic>', DAILY)
    assert [item.code for item in dag.accounts if item.outcome == "raises"] == ["input-logic-refused"]


def test_only_inputs_of_as_many_instances_are_combined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oozie 5.x refuses others when the action is made: CoordInputLogicEvaluatorPhaseValidate."""
    one = '<data-in name="one" dataset="day"><instance>${coord:current(0)}</instance></data-in>'
    two = (
        '<data-in name="two" dataset="day"><start-instance>${coord:current(-1)}</start-instance>'
        "<end-instance>${coord:current(0)}</end-instance></data-in>"
    )
    logic = '<input-logic><combine><data-in dataset="one"/><data-in dataset="two"/></combine></input-logic>'
    names = names_of(coordinator(tmp_path, one + two, logic, DAILY), monkeypatch)
    names["inputs_arrived"].__globals__.update(PokeReturnValue=lambda *given: given, hdfs_test=lambda *_: True)
    with pytest.raises(ValueError, match="refuses to combine"):
        names["inputs_arrived"]({}, NOMINAL, None)
    dag = coordinator(tmp_path, one, logic.replace('<data-in dataset="two"/>', ""), DAILY)
    assert [item.code for item in dag.accounts if item.outcome == "raises"] == ["input-logic-refused"]


@pytest.mark.parametrize(
    ("logic", "is_waiting"),
    [
        ('<or min="1" wait="9"><data-in dataset="day"/></or>', True),
        ('<or min="1"><data-in dataset="day" wait="9"/></or>', True),
        ('<or min="1" wait="9"><and><data-in dataset="day"/></and></or>', False),
        ('<or min="1"><and wait="9"><data-in dataset="day"/></and></or>', True),
        ('<or min="1" wait="9"><combine><data-in dataset="day"/><data-in dataset="day"/></combine></or>', False),
    ],
)
def test_only_an_input_takes_the_wait_around_it(tmp_path: Path, logic: str, is_waiting: bool) -> None:
    inputs = '<data-in name="day" dataset="day"><instance>${coord:current(0)}</instance></data-in>'
    dag = coordinator(tmp_path, inputs, f"<input-logic>{logic}</input-logic>", DAILY)
    (source,) = (item.source for item in dag.functions if item.name == "inputs_arrived")
    assert "least=1" in source
    assert ("is_early(9" in source) == is_waiting


@pytest.mark.parametrize(
    ("logic", "there", "age", "expected"),
    [
        ('<or name="x"><data-in dataset="a" wait="10"/><data-in dataset="b"/></or>', "b", 5, None),
        ('<or name="x"><data-in dataset="a" wait="10"/><data-in dataset="b"/></or>', "b", 15, "b"),
        ('<or name="x"><data-in dataset="a" wait="10"/><data-in dataset="b"/></or>', "ab", 5, "a"),
        ('<or name="x"><data-in dataset="b"/><data-in dataset="a" wait="10"/></or>', "b", 5, "b"),
        ('<and name="x"><data-in dataset="a" wait="10" min="0"/><data-in dataset="b"/></and>', "b", 5, None),
        ('<and name="x"><data-in dataset="a" wait="10" min="0"/><data-in dataset="b"/></and>', "b", 15, "b"),
        ('<and name="x"><data-in dataset="a"/><data-in dataset="b"/></and>', "ab", 5, "ba"),
    ],
)
def test_an_alternative_is_preferred_as_long_as_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logic: str, there: str, age: int, expected: str | None
) -> None:
    """Oozie 5.x: CoordInputLogicEvaluatorResult.isTrue, OozieJexlInterpreter; of several parts the last one comes first.

    Where one part of an <and> waits and the last one does not, Oozie's code forgets that it waits; here it waits.
    """
    days = "".join(
        f'<dataset name="{name}" frequency="${{coord:days(1)}}" initial-instance="2025-01-01T00:00Z" timezone="UTC">'
        f"<uri-template>/{name}</uri-template></dataset>"
        for name in "ab"
    )
    inputs = "".join(
        f'<data-in name="{name}" dataset="{name}"><instance>${{coord:current(0)}}</instance></data-in>' for name in "ab"
    )
    names = names_of(coordinator(tmp_path, inputs, f"<input-logic>{logic}</input-logic>", days), monkeypatch)
    names["inputs_arrived"].__globals__.update(
        PokeReturnValue=lambda *given: given, hdfs_test=lambda _, uri: uri[1] in there
    )
    made = datetime.now(UTC) - timedelta(minutes=age)
    found = [f"/{name}" for name in expected or ""]
    assert names["inputs_arrived"]({}, made, SimpleNamespace(start_date=made, queued_at=made)) == (
        expected is not None,
        {"x": found},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${coord:currentRange(-1, 0)}", "between(logical_date, -1, 0)"),
        ("${coord:latestRange(-2,0)}", "latest(dag_run.start_date, -2, 0"),
        ("${coord:futureRange(0, 2, 5)}", "future(logical_date, 0, 2, 5"),
    ],
)
def test_a_range_may_be_one_instance(tmp_path: Path, text: str, expected: str) -> None:
    inputs = f'<data-in name="in" dataset="day"><instance>{text}</instance></data-in>'
    dag = coordinator(tmp_path, inputs, more=DAILY)
    assert expected in "".join(item.source for item in dag.functions)
    assert not [item for item in dag.accounts if item.outcome == "raises"]


def test_partitions_have_their_part_in_input_logic(tmp_path: Path) -> None:
    hive = HOURLY.replace('name="d"', 'name="h"').replace("/d/", "hcat://m:9083/db/t/dt=")
    inputs = INPUTS + INPUTS.replace('name="in" dataset="d"', 'name="hive" dataset="h"')
    logic = '<input-logic><or name="any"><data-in dataset="in"/><data-in dataset="hive"/></or></input-logic>'
    dag = coordinator(tmp_path, inputs, logic, hive)
    assert not [item for item in dag.accounts if item.outcome == "raises"]
    source = "".join(item.source for item in dag.functions)
    assert "partition_test(uri) if flag is None" in source
    assert "there(hive_uris(logical_date, params), None)" in source


def test_a_dataset_may_be_named_by_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.properties").write_text("which=d\n")
    dag = coordinator(tmp_path, INPUTS.replace('dataset="d"', 'dataset="${which}"'))
    assert names_of(dag, monkeypatch)["in_uris"](NOMINAL, {})[-1] == "/d/2026013122"


def test_a_frequency_as_oozie_writes_it_down(tmp_path: Path) -> None:
    (tmp_path / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.2" name="c" frequency="1" freq_timeunit="DAY" end_of_duration="NONE" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z"'
        ' timezone="UTC"><input-events><data-in name="in" dataset="d"><dataset name="d" frequency="7" freq_timeunit="DAY" initial-instance="2026-01-01T00:00Z" timezone="UTC">'
        "<uri-template>/d/${YEAR}${MONTH}${DAY}</uri-template></dataset><instance>${coord:current(0)}</instance></data-in></input-events>"
        "<action><workflow><app-path>/elsewhere/w</app-path></workflow></action></coordinator-app>"
    )
    (dag,) = read(tmp_path, {}).dags
    assert dag.schedule.oracle["unit"] == "days"
    assert "dataset-asked" not in {item.code for item in dag.accounts}
    assert 'Instances("2026-01-01T00:00Z", "days", 7)' in "".join(item.source for item in dag.functions)


def test_instances_of_several_kinds_stand_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("${coord:current(-1)}", '${coord:offset(-2, "DAY")}', "2026-01-05T00:00Z", "${coord:current(0)}")
    inside = "".join(f"<instance>{text}</instance>" for text in texts)
    dag = coordinator(tmp_path, f'<data-in name="in" dataset="day">{inside}</data-in>', more=DAILY)
    uris = names_of(dag, monkeypatch)["in_uris"]
    assert uris(NOMINAL, {}) == ["/d/0131", "/d/0130", "/d/0105", "/d/0201"]


@pytest.mark.parametrize(
    ("amounts", "expected"), [((0, -1, -2), "latest(dag_run.start_date, -2, 0"), ((0, -2), ""), ((-1, 0), "")]
)
def test_latest_ones_in_a_row_are_a_range(tmp_path: Path, amounts: tuple[int, ...], expected: str) -> None:
    inside = "".join(f"<instance>${{coord:latest({amount})}}</instance>" for amount in amounts)
    dag = coordinator(tmp_path, f'<data-in name="in" dataset="day">{inside}</data-in>', more=DAILY)
    sources = "".join(function.source for function in dag.functions)
    assert expected in sources
    assert bool([item for item in dag.accounts if item.outcome == "raises"]) is not bool(expected)


def test_a_number_may_be_a_value_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.properties").write_text("back=-2\n")
    inside = "<instance>${coord:current(coord:conf('back'))}</instance>"
    dag = coordinator(tmp_path, f'<data-in name="in" dataset="day">{inside}</data-in>', more=DAILY)
    assert names_of(dag, monkeypatch)["in_uris"](NOMINAL, {}) == ["/d/0130"]


BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="all"><coordinator name="load-daily"><app-path>${where}/${one}</app-path></coordinator>
<coordinator name="publish"><app-path>${two}</app-path></coordinator><coordinator name="third"><app-path>${three}</app-path></coordinator></bundle-app>"""


def test_a_coordinator_of_a_bundle_is_found_by_its_name(tmp_path: Path) -> None:
    for folder, name in (("a", "load_daily"), ("publish", "other")):
        (tmp_path / folder).mkdir()
        coordinator(tmp_path / folder, "", more=DAILY)
        path = tmp_path / folder / "coordinator.xml"
        path.write_text(path.read_text().replace('name="c"', f'name="{name}"'))
    (tmp_path / "bundle.xml").write_text(BUNDLE)
    dags = read(tmp_path, {}).dags
    codes = {
        dag.origin.file: {item.code for item in dag.accounts if item.element.startswith("bundle/")} for dag in dags
    }
    assert codes["a/coordinator.xml"] == codes["publish/coordinator.xml"] == {"", "app-path-assumed"}
    assert codes["bundle.xml"] == {"coordinator-missing"}


def test_days_of_a_month_are_counted_from_an_instance_of_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """daysInMonth(-1) is of the month one instance back, one day here, in the zone of the dataset; not of the month before."""
    daily = (
        '<dataset name="day" frequency="${coord:days(1)}" initial-instance="2025-01-01T00:00Z" timezone="America/New_York">'
        "<uri-template>/day/${YEAR}${MONTH}${DAY}</uri-template></dataset>"
    )
    text = (
        '<data-in name="in" dataset="day"><start-instance>${coord:current(-(coord:daysInMonth(-1) - 1))}</start-instance>'
        "<end-instance>${coord:current(0)}</end-instance></data-in>"
    )
    uris = names_of(coordinator(tmp_path, text, more=daily), monkeypatch)["in_uris"]
    assert len(uris(datetime(2026, 2, 15, tzinfo=UTC), {})) == 28
    assert len(uris(datetime(2026, 3, 2, 3, tzinfo=UTC), {})) == 28  # one day back it is still February in New York
    assert len(uris(datetime(2026, 3, 2, 6, tzinfo=UTC), {})) == 31

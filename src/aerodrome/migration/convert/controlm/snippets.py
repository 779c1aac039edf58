"""Functions that converted DAG files carry, as text. They are plain Python that a team can read, change and test.

Each one is written into the files that use it and into no others. `{new_day}` and `{zone}` are the site's.
"""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Function, Symbol

LOGGING: Final = Symbol("logging", {"2.11": "", "3.3": ""})
TEMPORARY: Final = Symbol("TemporaryDirectory", {"2.11": "tempfile", "3.3": "tempfile"})
OBJECT_PATH: Final = Symbol("ObjectStoragePath", {"2.11": "airflow.io.path", "3.3": "airflow.sdk"})


def odate(zone: str, new_day: int) -> Function:
    """The Control-M date of a run, and of a moment."""
    moment = f'moment.astimezone(ZoneInfo("{zone}"))'
    moment = f"({moment} - timedelta(minutes={new_day}))" if new_day else moment
    source = f'''
def order_date(moment):
    """Give the order date (ODATE) of a moment: in {zone}, a new one begins at {new_day // 60:02}:{new_day % 60:02}."""
    return {moment}.date()


def odate(dag_run):
    """Give the order date of a run: of its logical date, or the one that the job which ordered it had."""
    if given := (dag_run.conf or {{}}).get("odate"):
        return datetime.strptime(given, "%Y%m%d").date()
    return order_date(dag_run.logical_date or dag_run.run_after)
'''
    return Function("odate", source, (symbols.DATETIME, symbols.ZONE_INFO, *((symbols.TIMEDELTA,) if new_day else ())))


def now(zone: str) -> Function:
    source = f'''
def now():
    """Give the present time in {zone}, for %%DATE and %%TIME."""
    return datetime.now(ZoneInfo("{zone}"))
'''
    return Function("now", source, (symbols.DATETIME, symbols.ZONE_INFO))


CALCDATE: Final = Function(
    "calcdate",
    '''
def calcdate(day, days):
    """Move a date (YYMMDD or YYYYMMDD) by days, as %%CALCDATE does."""
    form = "%Y%m%d" if len(str(day)) == 8 else "%y%m%d"
    return (datetime.strptime(str(day), form) + timedelta(days=int(days))).strftime(form)
''',
    (symbols.DATETIME, symbols.TIMEDELTA),
)

ONLY_ON: Final = Function(
    "only_on",
    '''
def only_on(is_ordered):
    """Skip a task on dates on which Control-M does not order its job; a forced run has all of its jobs."""

    def check(context):
        run = context["dag_run"]
        if not (run.conf or {}).get("is_forced") and not is_ordered(odate(run)):
            raise AirflowSkipException(f"Not ordered on {odate(run)}.")

    return check
''',
    (symbols.SKIP,),
)


WHEN_ORDERED: Final = Function(
    "when_ordered",
    '''
def when_ordered(task_id, is_ordered, dag_run):
    """Choose the task of a job on dates on which Control-M orders it; on others it is skipped at once, whatever stands before it."""
    return task_id if (dag_run.conf or {}).get("is_forced") or is_ordered(odate(dag_run)) else None
''',
)


def only_at(zone: str) -> Function:
    """The check of a cyclic job whose cron expression has more times than the job."""
    source = f'''
def only_at(times, is_ordered=None):
    """Skip a run that the cron expression has and the cyclic job does not: its time (minutes after midnight) or date."""

    def check(context):
        run = context["dag_run"]
        if (run.conf or {{}}).get("is_forced"):
            return
        moment = (run.logical_date or run.run_after).astimezone(ZoneInfo("{zone}"))
        if run.logical_date is not None and moment.hour * 60 + moment.minute not in times:
            raise AirflowSkipException(f"The job does not start at {{moment:%H:%M}}.")
        if is_ordered is not None and not is_ordered(odate(run)):
            raise AirflowSkipException(f"Not ordered on {{odate(run)}}.")

    return check
'''
    return Function("only_at", source, (symbols.SKIP, symbols.ZONE_INFO))


def at_time(zone: str, new_day: int) -> Function:
    """The moment of a time of a Control-M day."""
    clock = f"{new_day // 60:02}:{new_day % 60:02}"
    next_day = f"days + (1 if minutes < {new_day} else 0)" if new_day else "days"
    about = f"; before {clock} it is on the next day" if new_day else ""
    source = f'''
def at_time(day, minutes, zone="{zone}", days=0):
    """Give the moment of a time (minutes after midnight) of an order date{about}."""
    day += timedelta(days={next_day})
    return datetime(day.year, day.month, day.day, minutes // 60 % 24, minutes % 60, tzinfo=ZoneInfo(zone))
'''
    return Function("at_time", source, (symbols.DATETIME, symbols.TIMEDELTA, symbols.ZONE_INFO))


NOT_AFTER: Final = Function(
    "not_after",
    '''
def not_after(minutes, days, zone, is_ordered=None):
    """Skip a task that could not start in its time window, as Control-M does not start the job then."""

    def check(context):
        run = context["dag_run"]
        day = odate(run)
        if is_ordered is not None and not (run.conf or {}).get("is_forced") and not is_ordered(day):
            raise AirflowSkipException(f"Not ordered on {day}.")
        latest = at_time(day, minutes, zone, days)
        if datetime.now(latest.tzinfo) > latest:
            raise AirflowSkipException(f"Its window ended at {latest}.")

    return check
''',
    (symbols.SKIP, symbols.DATETIME),
)

EARLIER: Final = Function(
    "earlier",
    '''
def earlier(day, is_ordered):
    """Give the last date before a day on which something is ordered; None when there is none in ten years."""
    days = (day - timedelta(days=number) for number in range(1, 3660))
    return next((day for day in days if is_ordered(day)), None)
''',
    (symbols.TIMEDELTA,),
)

_KEY_OF_CONDITION: Final = '''

def condition_key(name, dag_run, days):
    """Name the Airflow variable of a condition: with its month and day, as Control-M keeps it; `days` None: without a date."""
    day = condition_date(dag_run, days)
    ending = f".{day:%m%d}" if day else "" if days is None else ".PREV"
    return f"controlm.condition.{name}{ending}"
'''

CONDITION_KEY: Final = Function(
    "condition_key",
    f'''
def condition_date(dag_run, days):
    """Give the date of a condition; `days` is counted from the order date, None means: without a date."""
    return None if days is None else odate(dag_run) + timedelta(days=days)
{_KEY_OF_CONDITION}''',
    (symbols.TIMEDELTA,),
)

CONDITION_KEY_OF_DATES: Final = Function(
    "condition_key",
    f'''
def condition_date(dag_run, days):
    """Give the date of a condition; `days` is counted from the order date, or gives the date; None means: without a date."""
    if days is None:
        return None
    return days(dag_run) if callable(days) else odate(dag_run) + timedelta(days=days)
{_KEY_OF_CONDITION}''',
    (symbols.TIMEDELTA,),
)

IS_ADDED: Final = Function(
    "is_added",
    '''
def is_added(name, dag_run, days):
    """Say whether a condition was added: its Airflow variable exists and has its whole date. That of another year does not count."""
    key, day = condition_key(name, dag_run, days), condition_date(dag_run, days)
    kept = Variable.get(key, None)
    if kept is None or day is None:
        return kept is not None
    if len(kept) != 8 or not kept.isdigit():
        raise ValueError(f"{key} does not say of which year it is: set it to {day:%Y%m%d} if it was added for {day}, or delete it.")
    return kept == f"{day:%Y%m%d}"
''',
    (symbols.VARIABLE,),
)

CHANGE_CONDITION: Final = Function(
    "change_condition",
    '''
def change_condition(name, days, is_added, dag_run):
    """Add or delete a condition: an Airflow variable with its name, month and day, whose value is the whole date."""
    key, day = condition_key(name, dag_run, days), condition_date(dag_run, days)
    if is_added:
        Variable.set(key, f"{day:%Y%m%d}" if day else "1")
    elif Variable.get(key, None) is not None:
        Variable.delete(key)
''',
    (symbols.VARIABLE,),
)

CHANGE_EVENTS: Final = Function(
    "change_events",
    '''
def nearest(day, ending):
    """Give the date with a month and day (MMDD) that is nearest to a date."""
    near = (day + timedelta(days=sign * number) for number in range(3000) for sign in (1, -1))
    found = next((other for other in near if f"{other:%m%d}" == ending), None)
    if found is None:
        raise AirflowFailException(f"{ending} is no date (MMDD).")
    return found


def change_events(name, dates, is_added, is_needed, dag_run):
    """Add or delete a condition for dates (MMDD, "" without one): Airflow variables, whose value is the whole date nearest to the order date.

    A needed one fails the task when none is there to delete.
    """
    keys = {f"controlm.condition.{name}.{date}" if date else f"controlm.condition.{name}": date for date in dates}
    there = [key for key in keys if Variable.get(key, None) is not None]
    if is_needed and not there:
        raise AirflowFailException(f"Nobody has added {' or '.join(keys)}.")
    for key, date in keys.items():
        if is_added:
            Variable.set(key, f"{nearest(odate(dag_run), date):%Y%m%d}" if date else "1")
        elif key in there:
            Variable.delete(key)
''',
    (symbols.VARIABLE, symbols.FAIL, symbols.TIMEDELTA),
)

SET_VARIABLE: Final = Function(
    "set_variable",
    '''
def set_variable(name, value):
    """Keep a value under an Airflow variable, for the jobs that read it."""
    Variable.set(name, value)
''',
    (symbols.VARIABLE,),
)

SET_VARIABLES: Final = Function(
    "set_variables",
    '''
def set_variables(values):
    """Keep values under Airflow variables before a job starts, for itself and the jobs that read them."""
    for name, value in values.items():
        Variable.set(name, value)
''',
    (symbols.VARIABLE,),
)

NOT_STOPPED: Final = Function(
    "not_stopped",
    '''
def not_stopped(key, check):
    """Skip a run of a cyclic job that has stopped itself on the same order date; then do its other check."""

    def run(context):
        if Variable.get(key, None) == f"{odate(context['dag_run']):%Y%m%d}":
            raise AirflowSkipException("The cyclic job was stopped on this date.")
        if check is not None:
            check(context)

    return run
''',
    (symbols.VARIABLE, symbols.SKIP),
)

AFTER: Final = Function(
    "after",
    '''
def after(task_ids, notok, ti, dag_run):
    """Choose what follows a job that has ended NOTOK: one of its tasks has failed; nothing when it has ended OK or did not run."""
    if hasattr(ti, "get_task_states"):
        found = ti.get_task_states(dag_id=dag_run.dag_id, task_ids=task_ids, run_ids=[dag_run.run_id])
        states = found.get(dag_run.run_id, {}).values()
    else:
        states = [dag_run.get_task_instance(task_id).state for task_id in task_ids]
    return notok if "failed" in map(str, states) else None
''',
)

RAISE: Final = Function(
    "not_converted",
    '''
def not_converted(reason):
    """Fail: this job was not converted."""
    raise AirflowFailException(reason)
''',
    (symbols.FAIL,),
)

FAIL_RUN: Final = Function(
    "fail_run",
    '''
def fail_run():
    """Fail: a job of this run has failed."""
    raise AirflowFailException("A job has failed, see the tasks before this one.")
''',
    (symbols.FAIL,),
)

SHOUT: Final = Function(
    "shout",
    '''
def shout(destination, message):
    """Give a callback that writes a message for a Control-M destination into the log; send it to your own channel here."""

    def tell(context):
        text = context["task"].render_template(f"{destination}: {message}", context)
        logging.getLogger("airflow.task").warning("%s", text)

    return tell
''',
    (LOGGING,),
)

DO_NOTHING: Final = Function(
    "do_nothing",
    '''
def do_nothing():
    """Stand for a dummy job, which only takes part in the order of things."""
''',
)

TRANSFER: Final = Function(
    "transfer",
    '''
def transfer(source, source_conn_id, destination, destination_conn_id, is_moving):
    """Copy or move every file that a path (with * and ?) names; fails when there is none."""
    folder, _, pattern = source.rpartition("/")
    found = sorted(ObjectStoragePath(folder, conn_id=source_conn_id).glob(pattern), key=str)
    if not found:
        raise FileNotFoundError(source)
    for path in found:
        target = ObjectStoragePath(destination, conn_id=destination_conn_id)
        path.copy(target / path.name if destination.endswith("/") or "*" in pattern or "?" in pattern else target)
        if is_moving:
            path.unlink()
''',
    (OBJECT_PATH,),
)

PGP_TRANSFER: Final = Function(
    "pgp_transfer",
    '''
def pgp_transfer(source, source_conn_id, destination, destination_conn_id, options):
    """Copy a file and encrypt or decrypt it on the way: gpg on the worker, with the options of its PGP template."""
    with TemporaryDirectory() as place:
        ObjectStoragePath(source, conn_id=source_conn_id).copy(ObjectStoragePath(f"file://{place}/before"))
        command = ["gpg", "--batch", "--yes", "--output", f"{place}/after", *shlex.split(options), f"{place}/before"]
        subprocess.run(command, check=True)
        ObjectStoragePath(f"file://{place}/after").copy(ObjectStoragePath(destination, conn_id=destination_conn_id))
''',
    (OBJECT_PATH, symbols.SHLEX, symbols.SUBPROCESS, TEMPORARY),
)

FILE_COMMAND: Final = Function(
    "file_command",
    '''
def file_command(action, path, conn_id, target=None, is_needed=True):
    """Remove or rename a file, or make a folder, where a connection leads; a failure matters when it is needed."""
    place = ObjectStoragePath(path, conn_id=conn_id)
    try:
        if action == "mkdir":
            place.mkdir(parents=True, exist_ok=True)
        elif action == "rename":
            place.rename(ObjectStoragePath(target, conn_id=conn_id))
        else:
            place.unlink()
    except Exception as error:
        if is_needed:
            raise
        print(f"{action} {path} failed, and the job goes on: {error}")
''',
    (OBJECT_PATH,),
)

IS_THERE: Final = Function(
    "is_there",
    '''
def is_there(path, conn_id):
    """Say whether a file is there; the last part of the path may have * and ?."""
    folder, _, pattern = path.rpartition("/")
    return any(True for _ in ObjectStoragePath(folder, conn_id=conn_id).glob(pattern))
''',
    (OBJECT_PATH,),
)

CONFIRM_FILE: Final = '''"""An approval for Airflow 2.11, which has no human-in-the-loop operators: the task waits for an Airflow variable.

Set the variable that the log names to `yes` to let the job start, or to `no` to skip it.
"""

from __future__ import annotations

from airflow.exceptions import AirflowSkipException
from airflow.models import Variable
from airflow.sensors.base import BaseSensorOperator


class ApprovalOperator(BaseSensorOperator):
    """Waits until somebody has confirmed a job (Control-M: CONFIRM)."""

    template_fields = ("subject", "body")

    def __init__(self, *, subject: str, body: str | None = None, **options) -> None:
        super().__init__(mode="reschedule", **options)
        self.subject = subject
        self.body = body

    def poke(self, context) -> bool:
        key = f"controlm.confirm.{self.dag_id}.{self.task_id}.{context['run_id']}"
        answer = Variable.get(key, None)
        if answer is None:
            self.log.info("%s Waiting for the Airflow variable %s (yes or no).", self.subject, key)
            return False
        if answer.strip().lower() != "yes":
            raise AirflowSkipException(f"{key} is {answer}.")
        return True
'''

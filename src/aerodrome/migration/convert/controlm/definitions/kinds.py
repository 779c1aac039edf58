"""Which kind of job a definition is, from the words of XML exports (APPL_TYPE, TASKTYPE) and of JSON (`Type`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.definitions.elements import Element

# words that a type name contains, most exact first; looked for in APPL_TYPE, APPL_FORM and in JSON types, without blanks and marks
_WORDS: Final[tuple[tuple[str, str], ...]] = (
    ("databasemigration", "other"),
    ("ocidata", "other"),
    ("webjobs", "other"),
    ("slamanagement", "sla"),
    ("controlmcondition", "condition"),
    ("controlmevent", "condition"),
    ("mwaa", "mwaa"),
    ("gcpcomposer", "other"),
    ("googlecloudcomposer", "other"),
    ("airflow", "airflow"),
    ("hdfsfilewatch", "hadoop"),
    ("filewatch", "file-watcher"),
    ("filetrans", "file-transfer"),
    ("databrew", "databrew"),
    ("glue", "glue"),
    ("lambda", "lambda"),
    ("stepfunction", "step-functions"),
    ("awsbatch", "aws-batch"),
    ("athena", "athena"),
    ("awsecs", "ecs"),
    ("awsemr", "emr"),
    ("emr", "emr"),
    ("sagemaker", "sagemaker"),
    ("awssns", "sns"),
    ("awssqs", "sqs"),
    ("awsec2", "ec2"),
    ("awsautoscaling", "other"),
    ("cloudformation", "cloudformation"),
    ("datasync", "datasync"),
    ("quicksight", "quicksight"),
    ("appflow", "appflow"),
    ("redshift", "redshift"),
    ("azuredatabricks", "databricks"),
    ("databricks", "databricks"),
    ("datafactory", "adf"),
    ("adf", "adf"),
    ("synapse", "synapse"),
    ("azurefunction", "azure-function"),
    ("logicapp", "logic-app"),
    ("blobstorage", "blob"),
    ("azureblob", "blob"),
    ("servicebus", "service-bus"),
    ("powerbi", "power-bi"),
    ("azurebatch", "azure-batch"),
    ("bigquery", "bigquery"),
    ("dataflow", "dataflow"),
    ("dataproc", "dataproc"),
    ("datafusion", "data-fusion"),
    ("gcpvm", "gcp-vm"),
    ("gcpfunction", "gcp-function"),
    ("googlecloudfunction", "gcp-function"),
    ("gcpworkflow", "gcp-workflow"),
    ("cloudrun", "cloud-run"),
    ("gcpfunctions", "gcp-function"),
    ("snowflakecortex", "other"),
    ("snowflake", "snowflake"),
    ("dbt", "dbt"),
    ("airbyte", "airbyte"),
    ("jenkins", "jenkins"),
    ("tableau", "tableau"),
    ("kubernetes", "kubernetes"),
    ("hadoop:spark", "spark"),
    ("spark", "spark"),
    ("hadoop:hive", "hive"),
    ("hadoop:hdfscommands", "hdfs"),
    ("hadoop:distcp", "distcp"),
    ("hadoop", "hadoop"),
    ("database", "database"),
    ("hdinsight", "other"),
    ("sap", "sap"),
    ("informatica", "informatica"),
    ("peoplesoft", "other"),
    ("os400", "ibm-i"),
    ("webservice", "web-service"),
    ("restapi", "web-service"),
    ("web", "web-service"),
)
_SHORT: Final = 3  # letters of words that must begin a word of the type
_EXACT: Final = {
    "WS": "web-service",
    "DATABASE": "database",
    "DATABASES": "database",
    "DB": "database",
    "INF": "informatica",
    "ALA": "logic-app",
    "BIM": "sla",
    "AIRFLOWV2": "airflow",
}
_JSON: Final = {
    "Job:Command": "command",
    "Job:Script": "script",
    "Job:EmbeddedScript": "embedded",
    "Job:Dummy": "dummy",
    "Job": "dummy",
    "Job:FileTransfer": "file-transfer",
    "Job:FileWatcher:Create": "file-watcher",
    "Job:FileWatcher:Delete": "file-watcher",
    "Job:SLAManagement": "sla",
    "Job:zOS:Member": "mainframe",
    "Job:zOS:InStreamJCL": "mainframe",
}
_AWS: Final = {"STEP": "step-functions", "LAMBDA": "lambda", "BATCH": "aws-batch"}  # AWS-SERVICE_TYPE, 9.0.19
# beginnings of the task types that run something
_TASKS: Final = ("JOB", "COMMAND", "DETACHED", "SCRIPT", "EMBEDDED", "EXTERNAL", "STARTED", "EMERGENCY")
# a data set of z/OS and its member: exports that do not name their platform have no other mark
_LIBRARY: Final = re.compile(r"[A-Z$#@][A-Z0-9$#@-]{0,7}(\.[A-Z$#@][A-Z0-9$#@-]{0,7})+")
_MEMBER: Final = re.compile(r"[A-Z$#@][A-Z0-9$#@]{0,7}")
_FILE_WATCHER: Final = re.compile(r'^\s*"?(?:\S*[\\/])?ctmfw(?:\.exe)?"?\s', re.IGNORECASE)


def kind_of(element: Element, platform: str, is_folder_mainframe: bool) -> tuple[str, str]:
    """Give the kind of a JOB element and its type as the source says it."""
    if json_type := element.take("JSON_TYPE"):
        if element.flag("RUN_AS_DUMMY"):
            return "dummy", json_type
        return _JSON.get(json_type) or _by_words(json_type) or "other", json_type
    task_type = element.take("TASKTYPE")
    family = element.take("APPL_TYPE")
    form = element.take("APPL_FORM", "CM_VER_NAME")
    shown = "/".join(part for part in (family, form, task_type) if part) or "Job"
    word = task_type.upper().replace("CYCLIC", "").strip()
    if family.upper() == "BIM" and not element.flag("RUN_AS_DUMMY"):  # exports write TASKTYPE Dummy or Job
        return "sla", shown
    if word == "DUMMY" or element.flag("RUN_AS_DUMMY"):
        return "dummy", shown
    if family.upper() == "AWS":
        return _AWS.get(_value_of(element, "AWS-SERVICE_TYPE").upper(), "other"), shown
    if family.upper() not in ("", "OS", "O"):
        return _EXACT.get(family.upper()) or _by_words(f"{family} {form}") or "other", shown
    script = element.raw("INSTREAM_JCL")
    if platform.upper() == "MVS" or is_folder_mainframe or script.lstrip("0123456789").startswith("//"):
        return "mainframe", shown
    is_member = word == "JOB" and _MEMBER.fullmatch(element.take("MEMNAME")) and not element.take("NODEID", "NODEGRP")
    if not platform and is_member and _LIBRARY.fullmatch(element.take("MEMLIB")):
        return "mainframe", shown
    command = element.raw("CMDLINE")
    if _FILE_WATCHER.match(command):
        return "file-watcher", shown
    if word and not word.startswith(_TASKS):
        return _by_words(task_type) or "other", shown
    if word in ("COMMAND", "") and command.strip():
        return "command", shown
    if script.strip() and (element.flag("USE_INSTREAM_JCL") or word.startswith("EMBEDDED")):
        return "embedded", shown
    if element.take("MEMNAME", "FILE_NAME"):
        return "script", shown
    if word == "COMMAND" or (command.strip() and not word.startswith("EXTERNAL")):
        return "command", shown
    return ("dummy", shown) if word in ("EXTERNAL", "EXTERNAL TASK") and not command else ("script", shown)


def _value_of(element: Element, name: str) -> str:
    """Give the value of a variable of a job, without taking it."""
    names = (f"%%{name}", name)
    return next(
        (child.attributes.get("VALUE", "") for child in element.children if child.attributes.get("NAME") in names), ""
    )


def _by_words(text: str) -> str | None:
    plain = re.sub(r"[^a-z0-9:]", "", text.lower())
    together = plain.replace(":", "")
    starts = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower())

    def has(word: str) -> bool:
        if len(word) <= _SHORT:  # `sap` stands in `AWS App Runner`, too
            return any(start.startswith(word) for start in starts)
        return word in plain or word in together

    return next((kind for word, kind in _WORDS if has(word)), None)


def watcher_details(command: str) -> Mapping[str, str]:
    """Read a `ctmfw` command line: path, CREATE or DELETE, minimal size, intervals, minutes to wait at most."""
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)][1:]
    names = ("path", "mode", "minimal_size", "search_seconds", "size_seconds", "size_checks", "limit_minutes")
    return dict(zip(names, words, strict=False))

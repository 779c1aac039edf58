"""The email action: an operator, or a function where files of HDFS go with the mail."""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Expression, Function, Symbol, Task
from aerodrome.migration.convert.oozie.actions import escaped
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.model import Node
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Profile

_HOOK: Final = Symbol(
    "SmtpHook", dict.fromkeys(("2.11", "3.3"), "airflow.providers.smtp.hooks.smtp"), symbols.EMAIL.packages
)
_TEMPORARY: Final = Symbol("TemporaryDirectory", dict.fromkeys(("2.11", "3.3"), "tempfile"))
_SEND: Final = Function(
    "send_with_files",
    '''
def send_with_files(to, subject, html_content, attachments, cc=None, bcc=None, **_):
    """Send a mail with files of HDFS, named by paths with commas between them."""
    with TemporaryDirectory() as folder, SmtpHook(smtp_conn_id="smtp_default") as hook:
        files = []
        for number, path in enumerate(item.strip() for item in attachments.split(",") if item.strip()):
            files.append(f"{folder}/{number}/{path.rpartition('/')[2]}")
            Path(files[-1]).parent.mkdir()
            subprocess.run(["hdfs", "dfs", "-get", path, files[-1]], check=True)
        hook.send_email_smtp(to=to, subject=subject, html_content=html_content, files=files, cc=cc, bcc=bcc)
''',
    (_HOOK, _TEMPORARY, symbols.PATH, symbols.SUBPROCESS),
)


def mail(profile: Profile, compiler: Compiler, node: Node, caveats: dict[str, str]) -> Task:
    """Make the task of an email action; Unsupported when its files cannot be reached."""
    assert node.body is not None  # noqa: S101  (an action has a body)
    arguments: list[tuple[str, Expression]] = [("to", compiler.template(node.body.value("to")))]
    arguments += [(name, compiler.template(node.body.value(name))) for name in ("cc", "bcc") if node.body.value(name)]
    compiler.is_message, compiler.is_after_error = True, node.name not in compiler.words.calm
    arguments.append(("subject", compiler.template(node.body.value("subject")) or "Oozie"))
    text = node.body.value("body")
    if "html" in compiler.scope.partly(node.body.value("content_type")):
        text = compiler.template(text)
    else:
        text = f"<pre>{escaped(compiler, text)}</pre>"
        caveats["email-html"] = "mail is sent as HTML; the text stands in <pre>"
    arguments.append(("html_content", text))
    compiler.is_message = compiler.is_after_error = False
    caveats["email-sender"] = "the sender is that of the connection smtp_default"
    if not (files := node.body.value("attachment")):
        return Task(node.name, symbols.EMAIL, tuple(arguments))
    if profile.runner_of("email") != "local":
        raise Unsupported("email-attachment", "attachments are files in HDFS, which only the local runner fetches")
    compiler.needs.functions[_SEND.name] = _SEND
    caveats["email-attachment"] = "a file that is not there fails the task"
    given: dict[str, Expression] = {**dict(arguments), "attachments": compiler.template(files)}
    return Task(node.name, symbols.PYTHON, (("python_callable", Code(_SEND.name)), ("op_kwargs", given)))

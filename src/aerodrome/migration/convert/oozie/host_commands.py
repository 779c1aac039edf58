"""Shell, SSH, file system and git actions, as commands of a host (Oozie 4.x/5.x, ShellMain, SshActionExecutor, FsActionExecutor)."""

from __future__ import annotations

import re
from typing import Final

from aerodrome.migration.convert.contract import Code, Function
from aerodrome.migration.convert.oozie.actions import (
    HOLDS,
    Action,
    generic,
    unread_lines,
)
from aerodrome.migration.convert.oozie.captured import READ, capturing
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.profiles import Command
from aerodrome.migration.convert.oozie.writing import constant, grouped, literal, shell_word

_CLIENT: Final = re.compile(r"(?:^|[\s;&|(/'\"])oozie\s+(?:job|jobs|admin|sla|pig|hive|mapreduce)\b")


def refuse_client(program: str, arguments: str = "") -> None:
    """Refuse a command of Oozie's own client: what it starts or asks for are DAGs here, and no jobs of Oozie."""
    if program.rpartition("/")[2] == "oozie" or _CLIENT.search(f"{program} {arguments}"):
        raise Unsupported(
            "oozie-client",
            "it calls the client of Oozie: start the DAG of what it runs (TriggerDagRunOperator) instead",
        )


def _all_texts(action: Action, *names: str) -> str:
    return " ".join(item.text.strip() for item in action.body.every(*names))


def shell(action: Action) -> Command:
    settings = action.settings()
    if settings or action.body.first("configuration") is not None or action.unread:
        action.caveats["shell-configuration"] = (
            "the configuration only stands in Oozie's action.xml; the command does not get that file"
        )
    refuse_client(action.value("exec").strip(), _all_texts(action, "argument"))
    argv = [action.last_name(action.value("exec")), *(action.word(item.text) for item in action.every("argument"))]
    environment = _environment(action)
    action.used.add("capture-output")
    is_capturing = action.body.first("capture-output") is not None
    fetched = action.fetched(are_programs=True)
    lines = [*action.prepared(), *fetched]
    if any(word.startswith("PATH=") for word in environment):  # a Java program looks for another by its own PATH
        argv[0] = f'"$({_HERE_FIRST if fetched else ""}type -P {argv[0]})"'
    elif fetched:
        environment = ["env", _HERE_FIRST.strip(), *environment[1:]]
    main = " ".join([*environment, *argv])
    if is_capturing:
        lines += ["set -o pipefail", f"{main} | tee captured.properties", capturing(action, "captured.properties")]
    else:
        lines.append(main)
    return Command(tuple(lines), tuple(argv), is_capturing=is_capturing, read=READ)


_HERE_FIRST: Final = 'PATH=".:$PATH" '  # Oozie 4.x/5.x: ShellActionExecutor.addDefaultChildEnv


def _environment(action: Action) -> list[str]:
    """Give the words before a command that set its environment, and that of nothing around it (Oozie 4.x/5.x: ShellMain.getEnvMap)."""
    words = []
    for item in action.every("env-var"):
        key, _, value = item.text.strip().partition("=")
        if not value.strip("="):  # ShellActionExecutor.checkPair
            raise Unsupported(
                "shell-env", f"<env-var>{item.text.strip()}</env-var> has no value, with which Oozie fails"
            )
        words.append(f"{key}={action.word(value)}" if re.fullmatch(r"\w+", key, re.ASCII) else action.word(item.text))
    return ["env", *words] if words else []


def ssh(action: Action) -> Command:
    host = action.value("host")
    refuse_client(action.value("command").strip(), _all_texts(action, "args", "arg"))
    remote = [action.word(action.value("command"))]
    remote += [word for item in action.every("args") for word in action.words(item.text)]
    remote += [_kept(action, item.text.strip()) for item in action.every("arg")]
    action.used.add("capture-output")
    is_capturing = action.body.first("capture-output") is not None
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", action.word(host), *remote]
    action.caveats["ssh-key"] = "the worker needs a key for the host, as the Oozie server had one"
    main = " ".join(argv)
    if is_capturing:
        return Command(
            ("set -o pipefail", f"{main} | tee captured.properties", capturing(action, "captured.properties")),
            tuple(argv),
            is_capturing=True,
            read=READ,
        )
    return Command((main,), tuple(argv))


_WORD: Final = Function(
    "remote_word",
    '''
def remote_word(text):
    """Keep the blanks of an argument from the shell of the host as Oozie does: with backslashes, unless it stands in quotes."""
    if " " not in text or (text[0] == text[-1] and text[0] in ("'", '"')):
        return text
    return text.replace(chr(92), chr(92) * 2).replace(" ", chr(92) + " ")
''',
)


def _kept(action: Action, text: str) -> str:
    """Give an <arg> as a word of the command that ssh hands to the shell of the host (Oozie 4.x/5.x, SshActionExecutor.start: PRESERVE_ARGS)."""
    inner = action.compiler.named(text)
    if (known := constant(inner)) is not None or "${" not in text:
        known = text if known is None else known
        if " " in known and not (known[0] == known[-1] and known[0] in "'\""):
            known = known.replace("\\", "\\\\").replace(" ", "\\ ")
        return literal(shell_word(known)) if known else "''"
    needs = action.compiler.needs
    needs.functions[_WORD.name] = _WORD
    needs.filters[_WORD.name] = Code(_WORD.name)
    needs.is_quoting = True
    return "{{ " + f"{grouped(inner)} | {_WORD.name} | quote" + " }}"


_FILE_SYSTEM: Final = re.compile(r"(dfs|fs|io|ipc|hadoop)\.")


def fs(action: Action) -> Command:
    """Write the operations, with the settings that its file system is asked for with (Oozie 4.x/5.x: FsActionExecutor.doOperations)."""
    lines = []
    dfs = " ".join(["hdfs dfs", *generic(action, _FILE_SYSTEM)])
    for item in action.body.children:
        path = action.word(item.get("path")) if item.get("path") else ""
        match item.name:
            case "delete":
                lines.append(f"{dfs} -rm -r -f {'' if item.get('skip-trash') == 'false' else '-skipTrash '}{path}")
            case "mkdir":
                lines.append(f"{dfs} -mkdir -p {path}")
            case "move":
                lines.append(f"{dfs} -mv {action.word(item.get('source'))} {action.word(item.get('target'))}")
            case "chmod" | "chgrp":
                what = item.get("permissions") if item.name == "chmod" else item.get("group")
                is_down = (action.compiler.scope.text(item.get("dir-files")) or "true").lower() == "true"
                flag = "-R " if is_down and item.first("recursive") is not None else ""
                value = _permissions(action, what) if item.name == "chmod" else action.word(what)
                lines.append(f"{dfs} -{item.name} {flag}{value} {path}")
                if is_down and not flag:
                    if HOLDS not in lines:
                        lines.insert(0, HOLDS)
                    each = f"""[ -z "$found" ] || {dfs} -{item.name} {value} {path}/'*'"""  # of nothing the client makes an error
                    lines.append(f"if holds {dfs} -test -d {path}; then found=$({dfs} -ls {path}); {each}; fi")
            case "touchz":
                lines.append(f"{dfs} -touchz {path}")
            case "setrep":
                lines.append(f"{dfs} -setrep {action.word(item.get('replication-factor'))} {path}")
            case "name-node" | "configuration" | "job-xml":
                continue
            case _:
                raise Unsupported("fs-unknown", f"<{item.name}> in <fs> is not known")
        action.used.add(item.name)
    lines = [*unread_lines(action), *lines]
    return Command(tuple(lines) or ("true",), tuple(lines))


def _permissions(action: Action, text: str) -> str:
    """Give permissions as the client takes them; letters that a value of the files holds are written out."""
    known = action.compiler.scope.text(text)
    if known is None or known == text:
        return _octal(text)
    if re.fullmatch(r"[0-7]{3,4}", known):
        return action.word(text)
    action.caveats["fs-permissions"] = f"{text} is written out: a run that is given another one does not change it"
    return _octal(known)


def _octal(text: str) -> str:
    if re.fullmatch(r"[d-]?[rwx-]{9}", text):
        letters = text[-9:]
        return "".join(
            str(sum(4 >> at for at, mark in enumerate(letters[part : part + 3]) if mark != "-")) for part in (0, 3, 6)
        )
    if re.fullmatch(r"[0-7]{3,4}", text):
        return text
    raise Unsupported("fs-permissions", f"the permissions {text!r} cannot be read")


def git(action: Action) -> Command:
    action.settings()
    key = action.value("key-path")
    lines = (
        [f"hdfs dfs -get -f {action.path(key)} key", "chmod 600 key", 'export GIT_SSH_COMMAND="ssh -i $PWD/key"']
        if key
        else []
    )
    branch = action.value("branch")
    argv = [
        "git",
        "clone",
        *(["--branch", action.word(branch)] if branch else []),
        action.word(action.value("git-uri")),
        "repository",
    ]
    target = action.word(action.value("destination-uri"))
    lines += [
        *action.prepared(),
        " ".join(argv),
        f"hdfs dfs -mkdir -p {target}",
        "shopt -s dotglob",  # Oozie 5.x: GitOperations copies all that File.listFiles gives, .git too
        f"hdfs dfs -put -f repository/* {target}",
    ]
    return Command(tuple(lines), tuple(argv))

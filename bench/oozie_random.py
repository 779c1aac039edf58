"""Random Oozie definitions that Oozie accepts: all action types and control nodes, EL, frequencies, datasets, input logic, bundles.

Used by `bench.convert_random` and by a test; the same seed gives the same files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

ZONES = (
    "UTC",
    "GMT",
    "Europe/Paris",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "GMT+0530",
    "GMT-05:00",
    "PST",
    "Australia/Lord_Howe",
)
CRONS = (
    "0 4 * * *", "0/20 * * * *", "15 3 ? * 2-6", "0 0 1,15 * ?", "10 0 L * ?", "5 5 * JAN-MAR MON", "0 6 ? * 6#2", "0 2 ? * 6L",
    "30 1-5/2 * * ?", "0 9 * * FRI-MON", "7 7 1/5 * ?", "0 12 13 * FRI", "0 0 ? * SUN,WED", "*/7 22 * 2 *",
)  # fmt: skip
STARTS = (
    "2015-01-31T05:00Z",
    "2016-02-29T23:30Z",
    "2015-03-25T01:30Z",
    "2015-10-20T00:30Z",
    "2014-06-01T00:00+0200",
    "2015-12-31T23:59Z",
)
TEXTS = (
    "plain",
    "with space",
    "it's",
    'say "hi"',
    "$HOME `id`",
    "a;b|c&d",
    "50%",
    "{{ x }}",
    "{% y %}",
    "a\\b",
    "é€",
    "*",
    "~",
    "-x",
    "<tag>",
    "#no",
    "",
)
FILES = (
    '<delete path="/a"/>', '<mkdir path="/b/${day}"/>', '<move source="/a" target="/c"/>', '<chmod path="/b" permissions="755" dir-files="false"/>',
    '<touchz path="/b/x"/>', '<chgrp path="/b" group="g"/>',
)  # fmt: skip
VARIABLES = ("nameNode", "queueName", "inputDir", "day", "user.name", "max_size", "run-mode")


@dataclass(frozen=True)
class DataIn:
    """What a data-in waits for, as the definition says it: for an oracle that reads no XML."""

    name: str
    initial: str
    unit: str
    amount: int
    zone: str
    end_of: str
    template: str
    first: tuple[str, int, str]  # kind, amount, unit
    last: tuple[str, int, str]


@dataclass
class Sample:
    """The files of one estate, and what its coordinators wait for, by file."""

    files: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, list[DataIn]] = field(default_factory=dict)


class Maker:
    """Makes one estate from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sample = Sample()
        self.nodes: list[str] = []
        self.count = 0
        self.children: list[str] = []
        self.captured: list[str] = []

    def estate(self) -> Sample:
        """Give workflows, with some below them, a coordinator for some of them, and a bundle."""
        for number in range(self.chance.randint(1, 3)):
            folder = f"app{number}"
            self.workflow(folder, depth=2)
            if self.chance.random() < 0.8:
                self.coordinator(folder)
        if self.chance.random() < 0.5:
            self.bundle()
        if self.chance.random() < 0.7:
            values = {name: self.plain() for name in self.chance.sample(VARIABLES, 4)}
            lines = [f"{name}={value}".replace("\\", "\\\\") for name, value in values.items()]
            for folder in {name.rpartition("/")[0] for name in self.sample.files if name.startswith("app")}:
                if folder.count("/") == 0:
                    self.sample.files[f"{folder}/job.properties"] = "\n".join(lines) + "\n"
        return self.sample

    # ---- texts

    def plain(self) -> str:
        return self.chance.choice(TEXTS)

    def variable(self) -> str:
        return "${" + self.chance.choice([name for name in VARIABLES if "-" not in name]) + "}"

    def value(self) -> str:
        """Give a text with EL in it."""
        kinds: list[Callable[[], str]] = [
            self.plain,
            self.plain,
            self.variable,
            lambda: f"{self.plain()}/{self.variable()}",
            lambda: f"${{concat({self.inner()}, {self.inner()})}}",
            lambda: f"${{trim({self.inner()})}}",
            lambda: f"${{{self.inner()} eq 'x' ? {self.inner()} : 'no'}}",
            lambda: "${wf:conf('run-mode')}",
            lambda: f"${{replaceAll({self.inner()}, '[a-z]+', 'Z')}}",
            lambda: f"${{firstNotNull({self.inner()}, 'd')}}",
            lambda: "${wf:user()}",
            lambda: f"${{urlEncode({self.inner()})}}",
            lambda: f"${{{self.chance.randint(1, 9)} * {self.chance.randint(1, 9)} + 1}}",
            lambda: "${2 * MB}",
            lambda: f"${{toUpperCase({self.inner()})}}",
        ]
        if self.captured:
            kinds.append(lambda: f"${{wf:actionData('{self.chance.choice(self.captured)}')['rows']}}")
        return self.chance.choice(kinds)()

    def inner(self) -> str:
        word = self.plain().replace("'", "").replace("\\", "").replace("$", "")
        return self.chance.choice([f"'{word}'", self.chance.choice([name for name in VARIABLES if "-" not in name])])

    def tag(self, name: str, text: str, **attributes: str) -> str:
        given = "".join(f" {key.replace('_', '-')}={quoteattr(value)}" for key, value in attributes.items())
        if self.chance.random() < 0.1 and "]]>" not in text:
            return f"<{name}{given}><![CDATA[{text}]]></{name}>"
        return f"<{name}{given}>{escape(text)}</{name}>"

    def some(self, *parts: str) -> str:
        return "".join(part for part in parts if self.chance.random() < 0.5)

    def configuration(self, count: int = 2) -> str:
        names = self.chance.sample(
            ("mapred.reduce.tasks", "spark.x", "hive.exec.parallel", "oozie.launcher.queue", "day", "my key"), count
        )
        inside = "".join(f"<property><name>{name}</name>{self.tag('value', self.value())}</property>" for name in names)
        return f"<configuration>{inside}</configuration>"

    # ---- actions

    def body(self, kind: str, depth: int, folder: str) -> str:
        """Give the XML of an action of a kind, in the order of its schema."""
        tag, some, value = self.tag, self.some, self.value
        head = "<job-tracker>${jobTracker}</job-tracker><name-node>${nameNode}</name-node>"
        prepare = f'<prepare><delete path={quoteattr("/out/" + self.plain())}/><mkdir path="/in/{self.variable()}"/></prepare>'
        files = some("<file>lib/a.txt#a.txt</file>", "<archive>/arch/b.zip#b</archive>")
        arguments = "".join(tag("arg", value()) for _ in range(self.chance.randint(0, 3)))
        match kind:
            case "spark":
                return f'<spark xmlns="uri:oozie:spark-action:0.2">{head}{some(prepare, self.configuration())}<master>yarn</master>{some("<mode>cluster</mode>")}{tag("name", value() or "n")}{some("<class>a.B</class>")}<jar>lib/a.jar</jar>{some("<spark-opts>--executor-memory 2G --conf spark.y=1 --queue ${queueName}</spark-opts>")}{arguments}</spark>'
            case "hive":
                return f'<hive xmlns="uri:oozie:hive-action:0.5">{head}{some(prepare, self.configuration())}<script>q.hql</script>{some(tag("param", "a=" + value()), tag("argument", value()))}{files}</hive>'
            case "hive2":
                script = self.chance.choice(["<script>q.hql</script>", tag("query", "select 1 -- " + self.plain())])
                return f'<hive2 xmlns="uri:oozie:hive2-action:0.2">{head}{some(prepare, self.configuration())}<jdbc-url>jdbc:hive2://h:10000/d</jdbc-url>{some("<password>p</password>")}{script}{some(tag("param", "a=" + value()))}</hive2>'
            case "pig":
                return f"<pig>{head}{some(prepare, self.configuration())}<script>p.pig</script>{some(tag('param', 'A=' + value()), tag('argument', value()))}{files}</pig>"
            case "shell":
                capture = "<capture-output/>" if self.chance.random() < 0.4 else ""
                return f'<shell xmlns="uri:oozie:shell-action:0.3">{head}{some(prepare, self.configuration())}<exec>run.sh</exec>{"".join(tag("argument", value()) for _ in range(self.chance.randint(0, 3)))}{some(tag("env-var", "A=" + value()))}{files}{capture}</shell>'
            case "java":
                return f"<java>{head}{some(prepare, self.configuration())}<main-class>a.B</main-class>{some('<java-opts>-Xmx1g -Da=b</java-opts>')}{arguments}{files}</java>"
            case "map-reduce":
                inside = self.chance.choice(["", "<streaming><mapper>cat</mapper><reducer>wc -l</reducer></streaming>"])
                return f"<map-reduce>{head}{some(prepare)}{inside}{self.configuration()}{files}</map-reduce>"
            case "sqoop":
                words = (
                    tag("command", "import --table T --target-dir /x")
                    if self.chance.random() < 0.5
                    else "<arg>import</arg>" + arguments
                )
                return f'<sqoop xmlns="uri:oozie:sqoop-action:0.4">{head}{some(prepare, self.configuration())}{words}</sqoop>'
            case "distcp":
                return f'<distcp xmlns="uri:oozie:distcp-action:0.2">{head}{some(prepare, self.configuration())}{some("<java-opts>-Xmx1g</java-opts>")}<arg>/a</arg><arg>{self.variable()}/b</arg></distcp>'
            case "ssh":
                return f'<ssh xmlns="uri:oozie:ssh-action:0.2"><host>u@h</host><command>ls</command>{arguments}</ssh>'
            case "fs":
                return f"<fs>{some(*FILES)}</fs>"
            case "email":
                return f'<email xmlns="uri:oozie:email-action:0.2"><to>a@example.com</to>{some("<cc>b@example.com</cc>")}{tag("subject", value() or "s")}{tag("body", value())}</email>'
            case "git":
                return f'<git xmlns="uri:oozie:git-action:1.0"><resource-manager>r</resource-manager>{some(prepare)}<git-uri>https://example.com/r.git</git-uri>{some("<branch>main</branch>")}<destination-uri>/repos/{self.variable()}</destination-uri></git>'
            case _:
                path = self.child(folder, depth)
                return f"<sub-workflow>{path}{some('<propagate-configuration/>')}{some(self.configuration(1))}</sub-workflow>"

    def child(self, folder: str, depth: int) -> str:
        if depth == 0 or self.chance.random() < 0.2:
            return f"<app-path>{self.chance.choice(['/elsewhere/other', '${childPath}', '/apps/app0'])}</app-path>"
        if self.children and self.chance.random() < 0.3:
            return f"<app-path>/apps/{self.chance.choice(self.children)}</app-path>"
        name = f"{folder}/sub{len(self.children)}"
        self.children.append(name)
        outer = self.nodes, self.count, self.captured
        self.workflow(name, depth - 1)
        self.nodes, self.count, self.captured = outer
        return f"<app-path>/apps/{name}</app-path>"

    # ---- workflows

    def workflow(self, folder: str, depth: int) -> None:
        self.nodes, self.count, self.captured = [], 0, []
        handlers = ["kill", "kill", "kill", "end", "mail"]
        start = self.chain("end", self.chance.randint(1, 4), handlers, depth, folder, is_forked=False)
        ok = self.chance.choice(["kill", "end", "kill2"])
        self.nodes.append(self.action("mail", ok, self.chance.choice([ok, "kill"]), "email", depth, folder))
        self.chance.shuffle(self.nodes)
        version = self.chance.choice(("0.1", "0.2", "0.4", "0.5", "1.0"))
        defaults = "<parameters><property><name>queueName</name><value>default</value></property><property><name>nobody</name></property></parameters>"
        common = f"<global><job-tracker>j</job-tracker><name-node>n</name-node>{self.configuration()}</global>"
        message = self.tag("message", "failed [${wf:errorMessage(wf:lastErrorNode())}] " + self.plain())
        self.sample.files[f"{folder}/workflow.xml"] = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<workflow-app xmlns="uri:oozie:workflow:{version}" name={quoteattr(folder.replace("/", "-"))}>'
            f'{self.some(defaults, common)}<start to="{start}"/>\n'
            + "\n".join(self.nodes)
            + f'\n<kill name="kill">{message}</kill><kill name="kill2">'
            '<message>no</message></kill><end name="end"/></workflow-app>'
        )
        if self.chance.random() < 0.2:
            self.sample.files[f"{folder}/config-default.xml"] = (
                "<configuration><property><name>max_size</name><value>10</value></property></configuration>"
            )

    def chain(self, to: str, size: int, handlers: list[str], depth: int, folder: str, *, is_forked: bool) -> str:
        """Make nodes that lead to `to` and give the first; inside a fork nobody may leave for the end."""
        handlers = [name for name in handlers if not (is_forked and name in ("end", "mail"))]
        here, seen = to, [to]
        for _ in range(size):
            kind = self.chance.random()
            if kind < 0.65 or self.count > 12:
                error = self.chance.choice([*handlers, here, *([] if is_forked else seen)])
                here = self.add_action(here, error, depth, folder)
            elif kind < 0.85:
                sizes = [self.chance.randint(0, 1) for _ in range(2)]
                cases = [self.chain(here, one, handlers, depth, folder, is_forked=is_forked) for one in sizes]
                if not is_forked:
                    cases.append(self.chance.choice(["kill", "end", *seen]))
                here = self.add_decision(list(dict.fromkeys(cases)))
            else:
                join = self.name("join")
                self.nodes.append(f'<join name="{join}" to="{here}"/>')
                sizes = [self.chance.randint(1, 2) for _ in range(self.chance.randint(2, 3))]
                paths = [self.chain(join, one, handlers, depth, folder, is_forked=True) for one in sizes]
                here = self.name("fork")
                self.nodes.append(f'<fork name="{here}">{"".join(f"<path start={path!r}/>" for path in paths)}</fork>')
            seen.append(here)
        return here

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.chance.choice(['-', '_', ''])}{self.count}"

    KINDS = ("spark", "hive", "hive2", "pig", "shell", "shell", "java", "map-reduce", "sqoop", "distcp", "ssh", "fs", "email", "git", "sub-workflow", "sub-workflow")  # fmt: skip

    def action(self, name: str, ok: str, error: str, kind: str, depth: int, folder: str) -> str:
        body = self.body(kind, depth, folder)
        retry = ' retry-max="2" retry-interval="1"' if self.chance.random() < 0.1 else ""
        if "<capture-output/>" in body:
            self.captured.append(name)
        return f'<action name="{name}"{retry}>{body}<ok to="{ok}"/><error to="{error}"/></action>'

    def add_action(self, ok: str, error: str, depth: int, folder: str) -> str:
        name = self.name("a")
        self.nodes.append(self.action(name, ok, error, self.chance.choice(self.KINDS), depth, folder))
        return name

    def add_decision(self, targets: list[str]) -> str:
        name = self.name("d")
        tests = (
            "${wf:conf('run-mode') eq '%s'}",
            "${day == '%s'}",
            "${fs:exists('/x/%s')}",
            "${not empty max_size and max_size gt 3}",
            "${fs:dirSize('/x') lt 5 * MB || day ne '%s'}",
        )
        cases = ""
        for to in targets[1:]:
            test = self.chance.choice(tests)
            cases += f'<case to="{to}">{escape(test % to if "%s" in test else test)}</case>'
        self.nodes.append(f'<decision name="{name}"><switch>{cases}<default to="{targets[0]}"/></switch></decision>')
        return name

    # ---- coordinators

    def coordinator(self, folder: str) -> None:
        chance = self.chance
        path = f"{folder}/coordinator.xml"
        zone = chance.choice(ZONES)
        amount = chance.randint(1, 5)
        frequency = chance.choice([
            *(f"${{coord:{unit}({amount})}}" for unit in ("minutes", "hours", "days", "days", "months", "endOfDays", "endOfMonths", "endOfWeeks")),
            str(amount * 15), chance.choice(CRONS), chance.choice(CRONS), f"${{coord:days({amount} + 1)}}", "${every}",
        ])  # fmt: skip
        datasets, inputs, names = self.datasets(folder)
        logic = ""
        if names and chance.random() < 0.3:
            parts = "".join(f'<data-in dataset="{name}"/>' for name in names)
            logic = f'<input-logic><{(word := chance.choice(["and", "or"]))} name="all" {self.some(chr(109) + "in=" + chr(34) + "1" + chr(34))}>{parts}</{word}></input-logic>'
        given = "".join(
            f"<property><name>{name}</name><value>{escape(text)}</value></property>"
            for name, text in (
                ("day", "${coord:formatTime(coord:dateOffset(coord:nominalTime(), -1, 'DAY'), \"yyyy-MM-dd'T'HH\")}"),
                ("inputDir", f"${{coord:dataIn('{'all' if logic else chance.choice(names)}')}}" if names else "none"),
                ("max_size", "${coord:user()}"),
            )
        )
        controls = f"<controls>{self.some('<timeout>' + chance.choice(['-1', '0', '90']) + '</timeout>', '<concurrency>2</concurrency>', '<execution>' + chance.choice(['FIFO', 'LIFO', 'LAST_ONLY', 'NONE']) + '</execution>', '<throttle>3</throttle>')}</controls>"
        sla = "<sla:info><sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-start>${10 * MINUTES}</sla:should-start><sla:should-end>${2 * HOURS}</sla:should-end><sla:alert-contact>a@example.com</sla:alert-contact></sla:info>"
        start = chance.choice(STARTS)
        ending = start[16:]  # a server takes times of its own zone only
        datasets = datasets.replace('Z" timezone', f'{ending}" timezone')
        inside = self.sample.inputs.get(folder, [])
        inside[:] = [replace(item, initial=item.initial[:-1] + ending) for item in inside]
        self.sample.files[path] = (
            f'<coordinator-app xmlns="uri:oozie:coordinator:0.5" xmlns:sla="uri:oozie:sla:0.2" name="{folder}-coord" frequency="{frequency}" start="{start}"'
            f' end="2030-01-01T00:00{ending}" timezone="{zone}">{self.some(controls)}{datasets}{inputs}{logic}<action><workflow><app-path>/apps/{folder}</app-path>'
            f"<configuration>{given}</configuration></workflow>{self.some(sla)}</action></coordinator-app>"
        )
        self.sample.files[f"{folder}/coordinator.properties"] = (
            "every=45\nnameNode=hdfs://n\njobTracker=j:1\nqueueName=q\nrun-mode=full\n"
        )

    def datasets(self, folder: str) -> tuple[str, str, list[str]]:
        chance = self.chance
        series, events, names, found = "", "", [], []
        for number in range(chance.randint(0, 3)):
            unit, amount, end_of = chance.choice([
                ("minutes", 30, ""), ("hours", 1, ""), ("hours", 6, ""), ("days", 1, ""), ("days", 7, ""), ("months", 1, ""), ("days", 1, "days"), ("months", 1, "months"), ("days", 7, "weeks"),
            ])  # fmt: skip
            zone = chance.choice(ZONES[:5])
            initial = chance.choice(("2014-01-31T00:00Z", "2014-05-01T03:15Z", "2013-12-30T22:30Z"))
            template = f"/data/d{number}/${{YEAR}}-${{MONTH}}-${{DAY}}-${{HOUR}}-${{MINUTE}}"
            word = {"days": f"endOfDays({amount})", "months": f"endOfMonths({amount})", "weeks": "endOfWeeks(1)"}.get(
                end_of, f"{unit}({amount})"
            )
            flag = chance.choice(("", "<done-flag/>", "<done-flag>_READY</done-flag>"))
            series += f'<dataset name="d{number}" frequency="${{coord:{word}}}" initial-instance="{initial}" timezone="{zone}"><uri-template>{template}</uri-template>{flag}</dataset>'
            first, last, text = self.instances()
            name = f"in-{number}"
            names.append(name)
            events += f'<data-in name="{name}" dataset="d{number}">{text}</data-in>'
            if first[0] not in ("latest", "future"):
                found.append(DataIn(name, initial, unit, amount, zone, end_of, template, first, last))
        if not names:
            return "", "", []
        self.sample.inputs[folder] = found
        return f"<datasets>{series}</datasets>", f"<input-events>{events}</input-events>", names

    def instances(self) -> tuple[tuple[str, int, str], tuple[str, int, str], str]:
        chance = self.chance
        kind = chance.choice(("current", "current", "range", "offset", "offsets", "latest", "future", "latests"))
        low, high = -chance.randint(0, 5), chance.randint(0, 2)
        unit = chance.choice(("MINUTE", "HOUR", "DAY", "MONTH", "YEAR"))
        start, end = "<start-instance>${coord:%s}</start-instance>", "<end-instance>${coord:%s}</end-instance>"
        match kind:
            case "current":
                return ("current", low, ""), ("current", low, ""), f"<instance>${{coord:current({low})}}</instance>"
            case "range":
                return ("current", low, ""), ("current", high, ""), start % f"current({low})" + end % f"current({high})"
            case "offset":
                one = ("offset", low, unit)
                return one, one, f'<instance>${{coord:offset({low}, "{unit}")}}</instance>'
            case "offsets":
                pair = ("offsets", low, "DAY"), ("offsets", high, "DAY")
                return *pair, start % f'offset({low}, "DAY")' + end % f'offset({high}, "DAY")'
            case "latest":
                return ("latest", low, ""), ("latest", low, ""), f"<instance>${{coord:latest({low})}}</instance>"
            case "latests":
                return ("latest", low, ""), ("latest", 0, ""), start % f"latest({low})" + end % "latest(0)"
            case _:
                return ("future", high, ""), ("future", high, ""), f"<instance>${{coord:future({high}, 10)}}</instance>"

    def bundle(self) -> None:
        entries = "".join(
            f'<coordinator name="{name.partition("/")[0]}-entry"{self.some(" enabled=" + chr(34) + "false" + chr(34))}><app-path>/apps/{name}</app-path><configuration><property><name>every</name>'
            "<value>60</value></property></configuration></coordinator>"
            for name in self.sample.files
            if name.endswith("coordinator.xml")
        )
        kick_off = "<controls><kick-off-time>2015-01-01T00:00Z</kick-off-time></controls>"
        if entries:
            self.sample.files["bundle/bundle.xml"] = (
                f'<bundle-app xmlns="uri:oozie:bundle:0.2" name="all">{self.some(kick_off)}{entries}</bundle-app>'
            )
            self.sample.files["bundle/bundle.properties"] = (
                "nameNode=hdfs://n\njobTracker=j:1\nqueueName=q\nrun-mode=full\n"
            )


def estates(seeds: range) -> Mapping[str, str]:
    """Give the files of several estates, each below a folder of its own."""
    return {f"e{seed}/{name}": text for seed in seeds for name, text in Maker(seed).estate().files.items()}

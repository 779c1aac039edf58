"""Random workflows that Oozie accepts: chains, decisions, forks and error handlers, nested."""

from __future__ import annotations

import random


class Maker:
    """Builds the XML of one workflow from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.nodes: list[str] = []
        self.count = 0

    def workflow(self, size: int) -> str:
        mail = self.chance.random() < 0.6
        handlers = ["kill", "kill", "end", *(["mail"] * 3 if mail else [])]
        start = self.chain("end", size, handlers, is_forked=False)
        if mail:
            ok = self.chance.choice(["kill", "end", "kill2"])
            self.nodes.append(self.action("mail", ok, self.chance.choice([ok, "kill"])))
        nodes = "\n".join(self.nodes)
        return f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="random">
<start to="{start}"/>
{nodes}
<kill name="kill"><message>failed</message></kill><kill name="kill2"><message>failed</message></kill>
<end name="end"/></workflow-app>"""

    def chain(self, to: str, size: int, handlers: list[str], *, is_forked: bool) -> str:
        """Make nodes that lead to `to` and give the first; inside a fork nobody may leave for the end."""
        handlers = [name for name in handlers if not (is_forked and name in ("end", "mail"))]
        here = to
        seen = [to]
        for _ in range(size):
            kind = self.chance.random()
            if kind < 0.6 or self.count > 14:
                error = self.chance.choice([*handlers, here, *(seen if not is_forked or to != here else [])])
                here = self.add_action(here, error)
            elif kind < 0.8:
                cases = [self.chain(here, self.chance.randint(0, 2), handlers, is_forked=is_forked) for _ in range(2)]
                if not is_forked:
                    cases.append(self.chance.choice(["kill", "end", *seen]))
                here = self.add_decision(list(dict.fromkeys(cases)))
            else:
                join = self.name("join")
                self.nodes.append(f'<join name="{join}" to="{here}"/>')
                paths = [self.chain(join, self.chance.randint(1, 2), handlers, is_forked=True) for _ in range(2)]
                fork = self.name("fork")
                inside = "".join(f'<path start="{path}"/>' for path in paths)
                self.nodes.append(f'<fork name="{fork}">{inside}</fork>')
                here = fork
            seen.append(here)
        return here

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def action(self, name: str, ok: str, error: str) -> str:
        return f'<action name="{name}"><shell><exec>true</exec></shell><ok to="{ok}"/><error to="{error}"/></action>'

    def add_action(self, ok: str, error: str) -> str:
        name = self.name("a")
        self.nodes.append(self.action(name, ok, error))
        return name

    def add_decision(self, targets: list[str]) -> str:
        name = self.name("d")
        cases = "".join(f'<case to="{to}">${{wf:conf("{name}") eq "{to}"}}</case>' for to in targets[1:])
        self.nodes.append(f'<decision name="{name}"><switch>{cases}<default to="{targets[0]}"/></switch></decision>')
        return name

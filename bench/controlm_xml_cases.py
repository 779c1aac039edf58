"""Random Control-M exports as XML, of every folder tag, with what the field has and what hurts."""

from __future__ import annotations

from bench.controlm_words import COMMANDS, CONDITIONS, DAYS, MONTHS, NAMES, ODATES, VARIABLES, WEEKDAYS, Case, element


class XmlCase(Case):
    """Makes the text of an XML export."""

    def export(self, folders: int) -> str:
        inside = "".join(self.folder(number) for number in range(folders))
        if self.some(0.5):
            inside += self.calendar("CAL1") + self.calendar("CAL2")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<DEFTABLE>{inside}</DEFTABLE>'

    def calendar(self, name: str) -> str:
        years = "".join(
            element("YEAR", {"NAME": year, "DAYS": "".join(self.one("YNNNYY") for _ in range(366))})
            for year in (2025, 2026, 2027)
        )
        return element("CALENDAR", {"NAME": name, "TYPE": "Regular"}, years)

    def folder(self, number: int) -> str:
        tag = self.one(("FOLDER", "SMART_FOLDER", "TABLE", "SCHED_TABLE", "SMART_TABLE"))
        name = self.one(("F", "G", f"F{number}", "Földer"))
        values: dict[str, object] = {"TABLE_NAME" if "TABLE" in tag else "FOLDER_NAME": name, "DATACENTER": "ctm"}
        if self.some(0.8):
            values["FOLDER_ORDER_METHOD"] = self.one(("SYSTEM", "SYSTEM", "", "PLAN_1"))
        is_smart = tag.startswith("SMART")
        inside = ""
        if is_smart:
            inside += "".join(self.rule(f"RBC{at}", "RULE_BASED_CALENDAR") for at in range(self.random.randrange(3)))
            if self.some(0.2):
                values |= self.criteria()
            if self.some(0.15):
                values |= {"ADJUST_COND": self.one(("0", "1", "Y", "D"))}
            inside += self.box()
        if self.some(0.3):
            inside += self.variables()
        members = [self.job(is_smart) for _ in range(self.random.randrange(1, 6))]
        if is_smart:
            members += [self.sub(1) for _ in range(self.random.randrange(3))]
        self.random.shuffle(members)
        return element(tag, values, inside + "".join(members)) + "\n"

    def box(self) -> str:
        inside = ""
        if self.some(0.2):
            inside += self.waits()
        if self.some(0.3):
            inside += self.outs()
        return inside

    def sub(self, depth: int) -> str:
        values: dict[str, object] = {"JOBNAME": self.one(("S1", "S2", "J1"))}
        if self.some(0.2):
            values["TIMEFROM"] = self.time()
        if self.some(0.1):
            values["CONFIRM"] = "1"
        inside = self.box() + (element("RULE_BASED_CALENDARS", {"NAME": "*"}) if self.some(0.5) else "")
        inside += "".join(self.job(True) for _ in range(self.random.randrange(3)))
        if depth < 3 and self.some(0.4):
            inside += self.sub(depth + 1)
        return element("SUB_FOLDER", values, inside)

    def criteria(self) -> dict[str, object]:
        found: dict[str, object] = {}
        if self.some(0.7):
            found["DAYS"] = self.one(DAYS)
        if self.some(0.4):
            found["WEEKDAYS"] = self.one(WEEKDAYS)
        if self.some(0.3):
            found |= {month: self.one("01") for month in MONTHS}
        if self.some(0.3):
            found["DAYS_AND_OR"] = self.one(("A", "O"))
        if self.some(0.15):
            found["DAYSCAL"] = self.one(("CAL1", "CAL2", "GONE"))
        if self.some(0.1):
            found["WEEKSCAL"] = self.one(("CAL1", "CAL2"))
        if self.some(0.1):
            found |= {
                "CONFCAL": self.one(("CAL1", "CAL2")),
                "SHIFT": self.one(("Next Day", "Prior Day", "Ignore Job", "No Confcal", "?")),
            }
            found["SHIFTNUM"] = self.one(("+00", "+01", "-02"))
        if self.some(0.1):
            found |= {"ACTIVE_FROM": "20260115", "ACTIVE_TILL": "20261101"}
        if self.some(0.05):
            found["DATE"] = "0101,1224"
        return found

    def rule(self, name: str, tag: str) -> str:
        return element(tag, {"NAME": name, **self.criteria()})

    def waits(self) -> str:
        count = self.random.randrange(1, 5)
        marks = ["" for _ in range(count)]
        if count > 2 and self.some(0.4):
            first = self.random.randrange(count - 1)
            marks[first], marks[self.random.randrange(first + 1, count)] = "(", ")"
        return "".join(
            element(
                "INCOND",
                {
                    "NAME": self.one(CONDITIONS),
                    "ODATE": self.one(ODATES),
                    "AND_OR": self.one("AAO"),
                    "OP": mark or None,
                },
            )
            for mark in marks
        )

    def outs(self) -> str:
        return "".join(
            element("OUTCOND", {"NAME": self.one(CONDITIONS), "ODATE": self.one(ODATES), "SIGN": self.one("++-")})
            for _ in range(self.random.randrange(1, 4))
        )

    def variables(self) -> str:
        tag = self.one(("VARIABLE", "AUTOEDIT2"))
        chosen = self.random.sample(VARIABLES, self.random.randrange(1, 6))
        return "".join(element(tag, {"NAME": f"%%{name}", "VALUE": value}) for name, value in chosen)

    def reaction(self) -> str:
        actions = [
            lambda: element("DOACTION", {"ACTION": self.one(("OK", "NOTOK", "RERUN", "SPCYC", "STRANGE"))}),
            lambda: element(
                "DOCOND", {"NAME": self.one(CONDITIONS), "ODATE": self.one(ODATES), "SIGN": self.one("+-")}
            ),
            lambda: element(
                "DOMAIL",
                {"DEST": "a@b.c;d@e.f", "SUBJECT": "%%JOBNAME", "MESSAGE": "0005first0006second", "URGENCY": "R"},
            ),
            lambda: element("DOSHOUT", {"DEST": "EM", "MESSAGE": "%%JOBNAME {{x}} 'q'", "URGENCY": "U"}),
            lambda: element(
                "DOFORCEJOB",
                {
                    "TABLE_NAME": self.one(("F", "G", "H")),
                    "NAME": self.one(("", "J1")),
                    "ODATE": self.one(("ODAT", "20260101")),
                },
            ),
            lambda: element("DOVARIABLE", {"NAME": self.one(("%%\\G", "%%LOCAL")), "VALUE": "%%ODATE"}),
            lambda: element("DOSYSOUT", {"OPTION": self.one("FMPD"), "PAR": "/tmp/x y"}),
        ]
        inside = "".join(self.one(actions)() for _ in range(self.random.randrange(1, 4)))
        code = self.one(
            ("NOTOK", "OK", "COMPSTAT EQ 4", "COMPSTAT GT 2", "*ERR*", "ANY", "RUNCOUNT EQ 2", "EXERR", "JNSUB")
        )
        return element("ON", {"STMT": self.one(("*", "*", "*", "step")), "CODE": code}, inside)

    def job(self, is_smart: bool) -> str:
        kind = self.one(("Command",) * 6 + ("Job", "Dummy", "Detached", "External"))
        values: dict[str, object] = {"JOBNAME": self.one(NAMES), "TASKTYPE": kind}
        if kind != "Dummy":
            values["CMDLINE"] = self.one(COMMANDS).replace("\n", "\n")
        if kind == "Job":
            values |= {"MEMLIB": self.one(("/opt/scripts/", "C:\\s", "")), "MEMNAME": "run.sh", "CMDLINE": ""}
        if self.some(0.1):
            values["APPL_TYPE"] = self.one(
                ("OS", "SAP", "FILE_TRANS", "DATABASE", "WS", "Databricks", "OWN", "ADF", "AIRFLOW", "INF")
            )
        inside = ""
        if is_smart:
            if self.some(0.5):
                inside += element("RULE_BASED_CALENDARS", {"NAME": self.one(("*", "RBC0", "RBC1", "!RBC1", "GONE"))})
            if self.some(0.2):
                values |= self.criteria()
        else:
            values |= self.criteria()
        if self.some(0.3):
            values |= {"NODEID": self.one(("h1", "h2")), "RUN_AS": "batch"}
        if self.some(0.2):
            values["TIMEFROM"] = self.time()
        if self.some(0.1):
            values["TIMETO"] = self.one((self.time(), ">"))
        if self.some(0.2):
            values["MAXWAIT"] = self.one(("0", "3", "99"))
        if self.some(0.12):
            values |= {
                "CYCLIC": "1",
                "INTERVAL": self.one(("00005M", "00002H", "00030S", "00000M", "00001D")),
                "MAXRERUN": self.one(("0", "3")),
            }
            values |= {"IND_CYCLIC": self.one(("S", "E", "T")), "CYCLIC_TYPE": self.one(("C", "V", "S"))}
            if values["CYCLIC_TYPE"] == "V":
                values["INTERVAL_SEQUENCE"] = self.one(("+30M,+2H", "+5S", ""))
            if values["CYCLIC_TYPE"] == "S":
                values["SPECIFIC_TIMES"] = self.one(("0800,1200", "0100,2330,0100", ""))
        elif self.some(0.15):
            values["MAXRERUN"] = "2"
        if self.some(0.1):
            values["CONFIRM"] = "1"
        if self.some(0.2):
            values["PRIORITY"] = self.one(("AA", "99", "5", "", "Z9"))
        if self.some(0.05):
            values["CRITICAL"] = "1"
        if self.some(0.05):
            values["TIMEZONE"] = self.one(("EST", "Europe/Paris", "NOWHERE", "HNL"))
        if self.some(0.05):
            values["STRANGE_ATTRIBUTE"] = "x"
        if self.some(0.5):
            inside += self.waits()
        if self.some(0.6):
            inside += self.outs()
        if self.some(0.5):
            inside += self.variables()
        if self.some(0.25):
            inside += self.reaction()
        if self.some(0.1):
            inside += element(
                "SHOUT",
                {
                    "WHEN": self.one(("OK", "NOTOK", "LATESUB", "EXECTIME", "RERUN")),
                    "TIME": "0900",
                    "DEST": "OPER",
                    "MESSAGE": "m %%JOBNAME",
                },
            )
        if self.some(0.15):
            inside += element(
                "QUANTITATIVE",
                {
                    "NAME": self.one(("R1", "R2", "R é")),
                    "QUANT": self.one(("1", "5", "00003")),
                    "ONFAIL": self.one("RK"),
                },
            )
        if self.some(0.1):
            inside += element("CONTROL", {"NAME": self.one(("L1", "L2")), "TYPE": self.one("ES"), "ONFAIL": "R"})
        return element("JOB", values, inside)

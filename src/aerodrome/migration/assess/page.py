"""The frame of the HTML report: style and script of one file that works offline; nothing is loaded from outside.

The tables are drawn by the script from compact JSON within the page, a piece at a time: an estate may have 14,000 DAGs and
100,000 findings. What a manager reads stands in the page as HTML, so it prints and works without scripts.
"""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang=en>
<head>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{{title}}</title>
<style>
{{style}}
</style>
</head>
<body>
{{body}}
<script type="application/json" id=data>{{data}}</script>
<script>
{{script}}
</script>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --bg: #fbfbfa; --fg: #1d2327; --dim: #5f6970; --line: #e0e3e2; --card: #fff; --track: #eceeed;
  --red: #b3261e; --amber: #a86a00; --green: #2c6e49; --blue: #2b5fa8; }
@media (prefers-color-scheme: dark) { :root { --bg: #15181a; --fg: #e4e7e8; --dim: #9aa4ab; --line: #2c3235;
  --card: #1b1f22; --track: #282e31; --red: #ff8a80; --amber: #e8b45a; --green: #7fcb9d; --blue: #8ab4f0; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 80rem; padding: 2rem 1.25rem 4rem; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; text-wrap: balance } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem }
h3 { font-size: .95rem; margin: 0 0 .6rem; font-weight: 600 }
p { margin: .5rem 0 } .dim { color: var(--dim); font-weight: 400 } .lead { font-size: 1.05rem; max-width: 68ch; text-wrap: pretty }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0 0 } nav a { color: var(--blue) }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(13rem, 45%), 1fr)); gap: .75rem; margin-top: 1.5rem }
.cards div, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem 1rem }
.cards b { display: block; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums } .cards span { color: var(--dim) }
.cards .blocker b { color: var(--red) } .cards .warning b { color: var(--amber) }
.panels { columns: 22rem; column-gap: .75rem; margin-top: .75rem }
.panel { break-inside: avoid; margin-bottom: .75rem }
.bar { display: grid; grid-template-columns: minmax(6rem, 10rem) 1fr auto; gap: .1rem .7rem; align-items: center; margin: .2rem 0 }
.bar > span:first-child { overflow-wrap: anywhere; line-height: 1.25 }
.bar i { height: .7rem; border-radius: 3px; background: var(--track); position: relative; overflow: hidden }
.bar i::before { content: ""; position: absolute; inset: 0; width: var(--w); background: var(--c, var(--blue)) }
.bar b { font-weight: 500; font-variant-numeric: tabular-nums; text-align: right; min-width: 3rem }
.split { display: flex; height: 1.4rem; border-radius: 4px; overflow: hidden; margin: .3rem 0 .5rem; gap: 2px } .split i { background: var(--c) }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem } .key span::before { content: ""; display: inline-block; width: .7rem; height: .7rem;
  border-radius: 2px; margin-right: .4rem; background: var(--c) }
.filters { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: .5rem; align-items: center }
input, select, button { padding: .4rem .6rem; border: 1px solid var(--line); border-radius: 6px; background: var(--card); color: inherit;
  font: inherit; min-height: 2.25rem; max-width: 100% }
input[type=search] { width: 20rem } button { cursor: pointer } :focus-visible { outline: 2px solid var(--blue); outline-offset: 1px }
.count { color: var(--dim); font-variant-numeric: tabular-nums }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--card) }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem; border-bottom: 1px solid var(--line) }
tr:last-child td { border-bottom: 0 } td { overflow-wrap: anywhere }
th { color: var(--dim); font-weight: 500; white-space: nowrap } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code.k { white-space: nowrap } @media (min-width: 641px) {
  #dags td:first-child { min-width: 13rem } #dags td:nth-child(2) { min-width: 7rem } #dags td:is(:nth-child(7), :nth-child(8)) { white-space: nowrap }
  #findings td:nth-child(3) { min-width: 16rem } #findings td:nth-child(5) { min-width: 14rem } }
.why { display: grid; gap: .2rem } .why .dim { font-size: .93em }
summary { cursor: pointer; padding: .35rem 0 } details > .wide { margin-bottom: .6rem }
td button { padding: 0; border: 0; min-height: 0; background: none; color: var(--blue); text-align: left; overflow-wrap: anywhere }
.tag { font-size: .85em; padding: .05rem .5rem; border: 1px solid currentColor; border-radius: 99px; white-space: nowrap }
.blocker > .tag, .tag.blocker, .tag.high, .tag.private { color: var(--red) } .tag.warning, .tag.medium, .tag.unknown, .tag.local { color: var(--amber) }
.tag.info { color: var(--dim) } .tag.low, .tag.public { color: var(--green) }
.more { margin: .6rem 0 0 }
@media (max-width: 640px) {
  body { padding: 1.25rem .9rem 3rem } input[type=search], select { width: 100% }
  .drawn thead { display: none } .drawn tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line) }
  .drawn td { display: flex; gap: .75rem; border: 0; padding: .15rem .8rem; text-align: left !important; white-space: normal !important }
  .drawn td::before { content: attr(data-label); color: var(--dim); flex: 0 0 5.5rem } .drawn td:empty { display: none }
  .bar { grid-template-columns: minmax(5rem, 7.5rem) 1fr auto }
}
@media print { .filters, nav, .more { display: none } body { max-width: none } }
"""

SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const PIECE = 200, rank = {blocker: 0, warning: 1, info: 2};
const el = (tag, text, kind) => { const node = document.createElement(tag); if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind; return node; };
const number = (value) => typeof value === "number" ? value.toLocaleString("en") : value;
function table(name, rows, columns, matches) {
  const root = document.getElementById(name), body = root.querySelector("tbody"), count = root.querySelector(".count");
  const more = root.querySelector(".more button"), inputs = [...root.querySelectorAll("[data-filter]")];
  let found = rows, shown = 0;
  function draw(amount) {
    const piece = document.createDocumentFragment();
    for (const row of found.slice(shown, shown + amount)) {
      const line = el("tr");
      for (const column of columns) { const cell = column.draw(row); cell.dataset.label = column.label; line.append(cell); }
      piece.append(line);
    }
    body.append(piece);
    shown = Math.min(found.length, shown + amount);
    count.textContent = found.length === rows.length ? number(rows.length) : number(found.length) + " of " + number(rows.length);
    more.parentElement.hidden = shown >= found.length;
    more.textContent = "Show " + number(Math.min(PIECE, found.length - shown)) + " more of " + number(found.length - shown);
  }
  function filter() {
    const wishes = Object.fromEntries(inputs.map((input) => [input.dataset.filter, input.value.toLowerCase().trim()]));
    found = rows.filter((row) => matches(row, wishes));
    shown = 0; body.replaceChildren();
    draw(PIECE);
    if (!found.length) { const line = el("tr"), cell = el("td", "Nothing matches.", "dim"); cell.colSpan = columns.length;
      line.append(cell); body.append(line); }
  }
  for (const input of inputs) input.addEventListener("input", filter);
  more.addEventListener("click", () => draw(PIECE));
  filter();
  return (wishes) => { for (const input of inputs) input.value = wishes[input.dataset.filter] ?? ""; filter(); root.scrollIntoView(); };
}
const rich = (node, words) => { words.split(/`([^`]+)`/).forEach((part, index) => part && node.append(index % 2 ? el("code", part) : part));
  return node; };
const text = (value, kind) => el("td", value === null ? "" : number(value), kind);
const tagged = (word) => { const cell = el("td"); cell.append(el("span", word, "tag " + word)); return cell; };
const linked = (word, act) => { const cell = el("td"), button = el("button", word); button.type = "button"; button.addEventListener("click", act);
  cell.append(button); return cell; };
const includes = (value, wish) => !wish || value.toLowerCase().includes(wish);
const words = (value, wish) => !wish || wish.split(/\\s+/).every((word) => value.includes(word));
// finding: [code, subject, file, line, message, hint, DAG ids]; dag: see data.dag_columns
const codes = data.codes, texts = data.texts;
const findings = data.findings.map(([code, subject, file, line, message, hint, dags]) => ({code: codes[code].code, severity: codes[code].severity,
  subject: texts[subject], file: texts[file], line, message: texts[message], hint: texts[hint], dags: dags.map((index) => data.dags[index][0])}));
for (const item of findings) item.all = [item.code, item.severity, item.subject, item.file, item.message].join(" ").toLowerCase();
const onFindings = table("findings", findings, [
  {label: "Severity", draw: (row) => tagged(row.severity)},
  {label: "Code", draw: (row) => { const cell = el("td"); cell.append(el("code", row.code, "k")); return cell; }},
  {label: "Where", draw: (row) => { const cell = el("td"), box = el("div"); if (row.subject) box.append(el("div", row.subject));
    if (row.file) box.append(el("code", row.file + (row.line ? ":" + row.line : ""))); cell.append(box); return cell; }},
  {label: "What", draw: (row) => { const cell = el("td"); cell.append(rich(el("div"), row.message)); return cell; }},
  {label: "Next step", draw: (row) => { const cell = el("td", undefined, "dim"); cell.append(rich(el("div"), row.hint)); return cell; }},
], (row, wish) => includes(row.severity, wish.severity) && (!wish.code || row.code === wish.code) && words(row.all, wish.words)
  && (!wish.dag || row.dags.some((name) => name.toLowerCase().includes(wish.dag))));
const dags = data.dags.map(([id, schedule, paused, tasks, runs, risk, hours, criticality, wave, group, reasons, effort, critical]) => ({id, schedule, paused,
  tasks, runs, risk, hours, criticality, wave, group, reasons: reasons.map((index) => texts[index]), effort: texts[effort], critical: texts[critical]}));
for (const item of dags) item.all = [item.id, item.schedule, item.wave, item.group, ...item.reasons, item.effort].join(" ").toLowerCase();
const why = (row) => { const cell = el("td"), box = el("div", undefined, "why");
  for (const reason of row.reasons) box.append(rich(el("div"), reason));
  if (row.effort) box.append(el("div", "Hours: " + row.effort, "dim"));
  if (row.critical) box.append(el("div", "Critical: " + row.critical, "dim"));
  if (box.childNodes.length) cell.append(box); return cell; };
table("dags", dags, [
  {label: "DAG", draw: (row) => { const cell = linked(row.id, () => onFindings({dag: row.id}));
    if (row.paused) cell.append(" ", el("span", "paused", "dim")); return cell; }},
  {label: "Schedule", draw: (row) => text(row.schedule)}, {label: "Tasks", draw: (row) => text(row.tasks, "n")},
  {label: "Runs, 30 d", draw: (row) => text(row.runs, "n")}, {label: "Risk", draw: (row) => tagged(row.risk)},
  {label: "Hours", draw: (row) => text(row.hours, "n")}, {label: "Critical", draw: (row) => text(row.criticality)},
  {label: "Wave", draw: (row) => text(row.wave)}, {label: "Why", draw: why},
], (row, wish) => includes(row.risk, wish.risk) && (!wish.wave || row.wave === wish.wave) && words(row.all, wish.words));
table("hosts", data.hosts, [
  {label: "Host", draw: (row) => { const cell = el("td"); cell.append(el("code", row[0])); return cell; }},
  {label: "Path", draw: (row) => tagged(row[1])}, {label: "Connections", draw: (row) => text(row[2])},
  {label: "Files", draw: (row) => text(row[3])}, {label: "DAGs", draw: (row) => text(row[4], "n")},
], (row, wish) => includes(row[1], wish.path) && words((row[0] + " " + row[2] + " " + row[3]).toLowerCase(), wish.words));
for (const button of document.querySelectorAll("[data-code]"))
  button.addEventListener("click", () => onFindings({code: button.dataset.code}));
"""

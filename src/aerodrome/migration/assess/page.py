"""The frame of the HTML report: style and a few lines of script for the filters; nothing is loaded from outside."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang=en>
<head>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{{title}}</title>
<style>
:root { color-scheme: light dark; --bg: #fbfbfa; --fg: #1d2327; --dim: #69737b; --line: #e2e4e3; --card: #fff;
  --red: #b3261e; --amber: #8a5a00; --green: #2c6e49; }
@media (prefers-color-scheme: dark) { :root { --bg: #15181a; --fg: #e4e7e8; --dim: #98a2a9; --line: #2c3235;
  --card: #1b1f22; --red: #ff8a80; --amber: #e8b45a; --green: #7fcb9d; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
.dim { color: var(--dim); font-weight: 400 }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem; min-width: 7rem }
.cards b { display: block; font-size: 1.4rem; font-weight: 600 } .cards span { color: var(--dim) }
input { width: min(24rem, 100%); padding: .4rem .6rem; margin-bottom: .5rem; border: 1px solid var(--line);
  border-radius: 6px; background: var(--card); color: inherit; font: inherit }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line) }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line) }
th { color: var(--dim); font-weight: 500; white-space: nowrap } td.n { text-align: right; font-variant-numeric: tabular-nums }
.tag { font-size: .85em; padding: .05rem .5rem; border: 1px solid currentColor; border-radius: 99px; white-space: nowrap }
.tag.blocker, .tag.high { color: var(--red) } .tag.warning, .tag.medium { color: var(--amber) }
.tag.info { color: var(--dim) } .tag.low { color: var(--green) }
@media print { input { display: none } }
</style>
</head>
<body>
{{body}}
<script>
for (const input of document.querySelectorAll("input[data-table]")) {
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of document.querySelectorAll("#" + input.dataset.table + " tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
</script>
</body>
</html>
"""

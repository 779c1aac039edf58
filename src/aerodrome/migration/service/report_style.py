"""The look of reports that are read outside the platform: light and dark, readable on a phone and on paper."""

STYLE = """
:root{color-scheme:light dark;--text:light-dark(#1b2430,#e6ebf2);--dim:light-dark(#5a6778,#9aa7b8);
--line:light-dark(#dde2e9,#2f3945);--ground:light-dark(#fff,#12161c);--head:light-dark(#f6f7f9,#1a2029)}
body{font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;color:var(--text);background:var(--ground);max-width:1080px;
margin:0 auto;padding:28px 18px 64px}
h1{font-size:1.5rem;margin:0 0 4px}h2{font-size:1.05rem;margin:28px 0 8px}
.dim{color:var(--dim)}code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.88em;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem;border:1px solid var(--line)}
th{text-align:left;background:var(--head);font-weight:600;white-space:nowrap}
th,td{padding:7px 12px;border-bottom:1px solid var(--line);vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
@media print{body{max-width:none}}
"""

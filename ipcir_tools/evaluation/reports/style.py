"""The look of the HTML report."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fcfbf8;--card:#fff;--ink:#22242a;--faint:#6d6f78;--line:#e6e3db;--soft:#f3f1ea;
--mark:#1a7f4b;--bad:#b3402e;--a:#1a7f4b;--b:#c77a16;--c:#3d5fb0;--d:#8a4a9e;
--shade:0 1px 2px #0000000f,0 4px 16px #0000000a}
@media(prefers-color-scheme:dark){:root{--paper:#17181b;--card:#1f2125;--ink:#e8e6e1;--faint:#9a9ca5;--line:#33353b;
--soft:#26282d;--mark:#5cc98f;--bad:#ec8a78;--a:#5cc98f;--b:#e8a958;--c:#8fabf0;--d:#c999da;--shade:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:48px 28px 80px}
h1{font-size:34px;line-height:1.15;letter-spacing:-.02em;margin:0 0 6px}
h2{font-size:20px;letter-spacing:-.01em;margin:52px 0 4px}
h3{font-size:12px;text-transform:uppercase;letter-spacing:.09em;color:var(--faint);margin:30px 0 10px;font-weight:600}
p.lead{color:var(--faint);margin:0 0 16px;max-width:72ch}
.facts{display:flex;flex-wrap:wrap;gap:12px 36px;margin:24px 0 0;padding:0}
.facts div{display:flex;flex-direction:column}
.facts dt{order:2;color:var(--faint);font-size:13px}
.facts dd{margin:0;font-size:23px;font-weight:600;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shade)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-size:12px;font-weight:600;color:var(--faint);text-align:right;padding:12px 9px 8px;
white-space:nowrap;vertical-align:bottom}
td{padding:8px 9px;text-align:right;border-top:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:18px}
th:last-child,td:last-child{padding-right:18px}
td.name{font-weight:600}
td small,.dim{color:var(--faint);font-weight:400}
td small{display:block;font-size:11px;line-height:1.35}
tr.base td{background:var(--soft)}
td.best{color:var(--mark);font-weight:700}
td.why{text-align:left;white-space:normal;color:var(--faint);font-size:13.5px;line-height:1.4}
.up{color:var(--mark)}.down{color:var(--bad)}
svg.bar{display:block}
.bar .track{fill:var(--soft)}tr.base .bar .track{fill:var(--line)}
.bar .mean{fill:var(--faint);opacity:.55}.bar.strong .mean{fill:var(--mark);opacity:1}
.bar .whisker{stroke:var(--ink);stroke-width:1;fill:none;opacity:.75}
svg.curve{display:block;width:100%;height:auto;padding:16px 8px 8px}
.curve text{font:12px system-ui,sans-serif;fill:var(--faint)}
.curve .grid{stroke:var(--line)}.curve .marker{stroke:var(--faint);stroke-dasharray:3 4;fill:none}
.curve polyline{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}
.curve .name,.curve .value{font-weight:600}
.l0 polyline{stroke:var(--a)}.l0 circle,.l0 text.name,.l0 text.value{fill:var(--a)}
.l1 polyline{stroke:var(--b)}.l1 circle,.l1 text.name,.l1 text.value{fill:var(--b)}
.l2 polyline{stroke:var(--c)}.l2 circle,.l2 text.name,.l2 text.value{fill:var(--c)}
.l3 polyline{stroke:var(--d)}.l3 circle,.l3 text.name,.l3 text.value{fill:var(--d)}
.query{display:grid;grid-template-columns:236px minmax(0,1fr);margin:0 0 16px;overflow:hidden}
.asked{padding:18px;border-right:1px solid var(--line)}
.asked .said{font-size:17px;line-height:1.35;font-weight:600;margin:12px 0 4px;overflow-wrap:anywhere}
.asked .told{font-size:13px;color:var(--faint);line-height:1.4;margin:0;overflow-wrap:anywhere}
.pair{display:flex;gap:10px}
figure{margin:0}figcaption{font-size:11px;color:var(--faint);margin-top:4px;text-align:center}
.p{display:block;width:94px;height:94px;border-radius:7px;background:var(--soft) center/contain no-repeat}
.found .p{width:66px;height:66px}
.w{display:block;width:94px;height:94px;border-radius:7px;background:var(--soft);padding:6px;overflow:hidden;
font-size:11px;line-height:1.3;overflow-wrap:anywhere}
.found .w{width:92px;height:72px;font-size:10.5px;line-height:1.25;padding:5px}
.p.hit,.w.hit{box-shadow:0 0 0 3px var(--mark)}
.found{padding:12px 18px 14px}
.way{display:grid;grid-template-columns:168px 56px minmax(0,1fr);align-items:center;gap:14px;padding:6px 0}
.way+.way{border-top:1px solid var(--line)}
.way b{font-weight:600;font-size:14px;overflow-wrap:anywhere;line-height:1.25}
.rank{font-variant-numeric:tabular-nums;text-align:right;font-weight:600}.rank.one{color:var(--mark)}
.hits{display:flex;gap:9px;flex-wrap:wrap;padding:3px}
.fine{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px}
.fine .card{padding:6px 20px 16px}.fine h3{margin-top:14px}
.fine ul{margin:0;padding-left:17px}.fine li{margin:3px 0}
.fine dl{margin:0;display:grid;grid-template-columns:auto minmax(0,1fr);gap:3px 14px;font-size:13.5px}
.fine dt{color:var(--faint)}.fine dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:48px;color:var(--faint);font-size:13px}
@media(max-width:760px){.query{grid-template-columns:1fr}.asked{border-right:0;border-bottom:1px solid var(--line)}
.way{grid-template-columns:minmax(0,1fr) auto}.hits{grid-column:1/-1}}
@media print{body{background:#fff}.card{box-shadow:none;break-inside:avoid}*{print-color-adjust:exact}}
"""

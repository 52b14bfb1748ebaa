"""What is drawn for a notebook: HTML with its own style, which follows the notebook's light or dark theme."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

_LIGHT = "--mark:#1a7f4b;--warn:#b3402e;--a:#1a7f4b;--b:#b56a0c;--c:#3d5fb0;--d:#8a4a9e;--ring:#fff"
_DARK = "--mark:#5cc98f;--warn:#ec8a78;--a:#5cc98f;--b:#e8a958;--c:#8fabf0;--d:#c999da;--ring:#17181b"
_DARK_THEMES = '[data-jp-theme-light="false"] .ipcir,body.vscode-dark .ipcir,html[theme="dark"] .ipcir'
"""What JupyterLab, Visual Studio Code and Colab say of a dark theme."""

_STYLE = Markup(
    f"""<style>
.ipcir{{{_LIGHT};--line:rgba(128,128,128,.3);--soft:rgba(128,128,128,.12);
font:13px/1.4 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;max-width:860px;margin-bottom:10px}}
{_DARK_THEMES}{{{_DARK}}}"""
    """
.ipcir .faint{opacity:.68}
.ipcir .head{margin:2px 0 8px;font-size:15px}
.ipcir .head .faint{font-size:12px;margin-left:6px}
.ipcir .chips{margin:0 0 10px}
.ipcir .chip{display:inline-block;border:1px solid var(--line);border-radius:9px;padding:0 8px;margin:0 5px 4px 0}
.ipcir .chip.add{border-color:var(--mark);color:var(--mark)}
.ipcir .chip.remove{border-color:var(--warn);color:var(--warn);text-decoration:line-through}
.ipcir .grid-of{display:grid;grid-template-columns:repeat(auto-fill,128px);gap:12px 12px}
.ipcir .cell{width:128px;overflow-wrap:anywhere;font-size:12px;line-height:1.3}
.ipcir .box{width:128px;height:128px;object-fit:contain;background:var(--soft);display:block;margin:0 0 4px;
border-radius:6px;box-sizing:border-box}
.ipcir .reference .box{border:3px solid var(--mark)}
.ipcir .warning{color:var(--warn);margin-top:6px}
.ipcir .tree{overflow-x:auto;padding-bottom:4px}
.ipcir .queries{display:flex;flex-wrap:wrap;gap:0 36px}
.ipcir .run{display:flex;align-items:flex-start}
.ipcir .branches{display:flex;flex-direction:column}
.ipcir .node{flex:none;width:104px;margin:0 0 10px;overflow-wrap:anywhere;font-size:12px;line-height:1.3}
.ipcir .node .box{width:96px;height:96px}
.ipcir .node.current .box{border:3px solid var(--mark)}
.ipcir .node.words{min-height:96px;display:flex;align-items:center;justify-content:center;text-align:center;
font-size:14px;font-weight:600}
.ipcir .arrow{flex:none;width:24px;line-height:96px;text-align:center;opacity:.6;font-size:16px}
.ipcir table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px;border:0}
.ipcir th,.ipcir td{padding:4px 9px;text-align:right;border:0;border-top:1px solid var(--line);white-space:nowrap;
background:none;max-width:none}
.ipcir th{font-weight:600;border-top:0;opacity:.68;vertical-align:bottom}
.ipcir th:first-child,.ipcir td:first-child{text-align:left}
.ipcir td.why{text-align:left;white-space:normal;opacity:.68}
.ipcir tr.baseline td:first-child{color:var(--mark);font-weight:600}
.ipcir td.best{color:var(--mark);font-weight:700}
.ipcir .wide{overflow-x:auto}
.ipcir svg{display:block;height:auto;max-width:100%;overflow:visible}
.ipcir .bar{width:120px}
.ipcir .bar .track{fill:var(--soft)}
.ipcir .bar .mean{fill:currentColor;opacity:.4}
.ipcir .bar.strong .mean{fill:var(--mark);opacity:1}
.ipcir .bar .whisker{stroke:currentColor;fill:none;opacity:.8}
.ipcir svg text{font:12px system-ui,sans-serif;fill:currentColor}
.ipcir .tick,.ipcir .end{opacity:.68}
.ipcir .grid{stroke:var(--line)}
.ipcir .marker{stroke:currentColor;opacity:.6;stroke-dasharray:3 4;fill:none}
.ipcir polyline{fill:none;stroke:var(--series);stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}
.ipcir svg circle{fill:var(--series)}
.ipcir svg .name,.ipcir svg .value{fill:var(--series);font-weight:600}
.ipcir .series-0{--series:var(--a)}
.ipcir .series-1{--series:var(--b)}
.ipcir .series-2{--series:var(--c)}
.ipcir .series-3{--series:var(--d)}
.ipcir .said{max-width:720px;width:fit-content;margin:0 0 8px;padding:7px 12px;border-radius:12px;
background:var(--soft);white-space:pre-wrap;overflow-wrap:anywhere}
.ipcir .said.human{margin-left:auto;border:1px solid var(--mark)}
.ipcir .said.tool{font:12px/1.45 ui-monospace,Menlo,Consolas,monospace;margin-left:24px}
.ipcir .said .faint{display:block;font:11px system-ui,sans-serif}
</style>"""
)


@dataclass(frozen=True)
class Drawing:
    """A drawing that a notebook shows, and the same in words for a terminal."""

    html: str
    text: str = ""

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text or f"a drawing of {len(self.html):,} characters of HTML: a notebook shows it"


def styled(*parts: Markup) -> str:
    """HTML for a notebook: the parts in a box with the style."""
    return str(Markup("<div class='ipcir'>{}{}</div>").format(_STYLE, Markup().join(parts)))


def faint(text: str) -> Markup:
    """Text that matters less."""
    return Markup("<span class='faint'>{}</span>").format(text)

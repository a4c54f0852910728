"""The page itself: small pieces of HTML that escape what they are given, and the style they share.

One file that needs nothing else: no script, no font, no picture from elsewhere.
"""

import re
from collections.abc import Iterable
from html import escape

from almabrain.report.style import data_uri

_CSS = """
:root { --ink: #1d2329; --soft: #5b6670; --line: #d9dee3; --accent: #0f5c8c; --wash: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1200px; color: var(--ink); background: #fff;
  font: 16px/1.5 "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; font-weight: 600; margin: 0 0 .2rem; }
h2 { font-size: 1.4rem; font-weight: 600; margin: 3rem 0 .8rem; padding-bottom: .25rem;
  border-bottom: 2px solid var(--accent); }
h3 { font-size: 1.12rem; font-weight: 600; margin: 2.2rem 0 .5rem; }
p { max-width: 52rem; margin: .5rem 0; }
p.lead, p.missing, p.credit, figcaption, caption { color: var(--soft); }
p.missing { font-style: italic; }
p.credit { font-size: .85rem; }
p.warning { border-left: 4px solid #c8502d; background: #fdf3ef; padding: .5rem .8rem; max-width: none; }
nav { font-size: .92rem; margin: 1rem 0 0; }
nav a { color: var(--accent); margin-right: 1.1rem; white-space: nowrap; }
figure { margin: 1.2rem 0; break-inside: avoid; }
figure img, figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; max-width: 60rem; margin-top: .4rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; font-size: .9rem; white-space: nowrap; }
th, td { padding: .28rem .8rem .28rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; border-bottom: 1px solid var(--soft); }
td.number, th.number { text-align: right; white-space: nowrap; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; padding: 0; list-style: none; }
.cards li { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: .6rem 1rem;
  min-width: 9rem; }
.cards b { display: block; font-size: 1.35rem; font-weight: 600; }
.cards span { color: var(--soft); font-size: .85rem; }
.good { color: #2f6b3f; } .bad { color: #b03a1a; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem;
  font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.dag { font: 12px Helvetica, Arial, "DejaVu Sans", sans-serif; }
.dag rect { fill: #eef4f8; stroke: var(--accent); } .dag text { text-anchor: middle; fill: var(--ink); }
.dag .edge { fill: none; stroke: #8a949d; stroke-width: 1.2; } .dag marker path { fill: #8a949d; }
@media print { body { padding: 0; font-size: 11pt; } nav { display: none; } h2 { break-after: avoid; } }
"""


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; `kind` is lead, missing, credit or warning."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def heading(text: str) -> str:
    """The heading of a part of a section."""
    return f"<h3>{escape(text)}</h3>"


def figure(drawn, alt: str, caption: str) -> str:
    """A matplotlib figure with what it shows (`alt`, for those who cannot see it) and its caption."""
    source, width = data_uri(drawn)
    image = f'<img src="{source}" width="{width}" alt="{escape(alt, quote=True)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def drawing(svg: str, caption: str) -> str:
    """An SVG element (taken as it is) with its caption."""
    return f'<figure><div class="scroll">{svg}</div><figcaption>{escape(caption)}</figcaption></figure>'


def table(caption: str, header: list[str], rows: Iterable[list]) -> str:
    """A table; numbers (cells that read as one) are set to the right."""
    rows = [["" if cell is None else str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(header))]
    marks = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(
        f'<th scope="col"{mark}>{escape(cell)}</th>' for cell, mark in zip(header, marks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{mark}>{escape(cell)}</td>" for cell, mark in zip(row, marks, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[-+−]?[\d.,]*(e[-+]?\d+)?( ± [\d.,e+-]+)?%?|–|", cell.strip()))


def cards(facts: list[tuple[str, str, str]]) -> str:
    """Facts as (value, what it is, kind), kind being good, bad or empty."""
    items = (
        f'<li><b class="{kind}">{escape(value)}</b><span>{escape(name)}</span></li>'
        for value, name, kind in facts
    )
    return f'<ul class="cards">{"".join(items)}</ul>'


def preformatted(text: str) -> str:
    """Text whose line breaks count."""
    return f"<pre>{escape(text)}</pre>"


def page(title: str, lead: str, sections: list[tuple[str, str]]) -> str:
    """The whole document of (heading, HTML) sections, with links to them at the top."""
    named = [(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), name, html) for name, html in sections]
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name, _ in named)
    body = "".join(
        f'<section id="{key}" aria-label="{escape(name, quote=True)}">'
        f"<h2>{escape(name)}</h2>{html}</section>\n"
        for key, name, html in named
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body>\n"
        f"<header><h1>{escape(title)}</h1>{paragraph(lead, 'lead')}<nav>{links}</nav></header>\n"
        f"<main>{body}</main></body></html>\n"
    )

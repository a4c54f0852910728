"""The rule graph as a picture: inline SVG, drawn by hand so that no graphviz is needed."""

from html import escape

from almabrain.report.dot import Layout, layered, parse, reduced

_BOX_HEIGHT, _ROW_STEP, _GAP, _MARGIN = 30, 46, 46, 8
_LETTER = 7.2  # px of a letter of the font below


def svg(dot: str) -> str:
    """The graph in dot text as an SVG element, layers from left to right; arrows run from need to product."""
    graph = reduced(parse(dot))
    layout = layered(graph)
    columns = _columns(graph.labels, layout)
    height = (layout.height + 1) * _ROW_STEP + 2 * _MARGIN
    width = columns[-1][0] + columns[-1][1] + _MARGIN if columns else 2 * _MARGIN
    lines = [_edge(route, columns) for _, route in sorted(layout.routes.items())]
    boxes = [_node(graph.labels[node], place, columns) for node, place in layout.places.items()]
    names = ", ".join(sorted(graph.labels.values()))
    return "\n".join(
        [
            f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" class="dag" role="img" '
            f'aria-label="{escape(f"Graph of the rules {names}", quote=True)}">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>",
        ]
    )


def _columns(labels: dict[str, str], layout: Layout) -> list[tuple[float, float]]:
    """Left edge and width of every layer, as wide as its longest name."""
    columns, left = [], float(_MARGIN)
    for layer in range(layout.layers):
        names = [labels[node] for node, place in layout.places.items() if place[0] == layer]
        width = max(len(name) for name in names) * _LETTER + 18
        columns.append((left, width))
        left += width + _GAP
    return columns


def _middle(place: float) -> float:
    return _MARGIN + (place + 0.5) * _ROW_STEP


def _node(label: str, place: tuple[int, float], columns: list[tuple[float, float]]) -> str:
    left, width = columns[place[0]]
    middle = _middle(place[1])
    return (
        f'<g><rect x="{left:.1f}" y="{middle - _BOX_HEIGHT / 2:.1f}" width="{width:.1f}" '
        f'height="{_BOX_HEIGHT}" rx="5"/><text x="{left + width / 2:.1f}" y="{middle + 4:.1f}">'
        f"{escape(label)}</text></g>"
    )


def _edge(route: list[tuple[int, float]], columns: list[tuple[float, float]]) -> str:
    left, width = columns[route[0][0]]
    x, y = left + width, _middle(route[0][1])
    path = f"M{x:.1f} {y:.1f}"
    for layer, place in route[1:]:
        left, width = columns[layer]
        end = _middle(place)
        bend = (x + left) / 2
        path += f"C{bend:.1f} {y:.1f} {bend:.1f} {end:.1f} {left:.1f} {end:.1f}"
        if layer != route[-1][0]:
            path += f"H{left + width:.1f}"
        x, y = left + width, end
    return f'<path class="edge" d="{path}" marker-end="url(#tip)"/>'

"""The rule graph that `snakemake --rulegraph` prints: read, thinned, and laid out in layers."""

import re
from dataclasses import dataclass

import numpy as np

_NODE = re.compile(r'^\s*(\w+)\s*\[.*?label\s*=\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_EDGE = re.compile(r"^\s*(\w+)\s*->\s*(\w+)", re.MULTILINE)
_SWEEPS, _STRAIGHTENING_SWEEPS = 12, 100


@dataclass(frozen=True)
class Graph:
    """Names of the rules by node, and edges (from, to) between nodes."""

    labels: dict[str, str]
    edges: frozenset[tuple[str, str]]

    def before(self, node: str) -> set[str]:
        """The nodes that `node` directly depends on."""
        return {first for first, second in self.edges if second == node}


def parse(dot: str) -> Graph:
    """The graph in a text in graphviz's dot language; lines that are neither node nor edge are skipped."""
    labels = {node: label.split("\\n")[0].replace('\\"', '"') for node, label in _NODE.findall(dot)}
    edges = {(a, b) for a, b in _EDGE.findall(dot) if a != b and a in labels and b in labels}
    return Graph(labels, frozenset(edges))


def reduced(graph: Graph) -> Graph:
    """The graph without the edges that longer ways imply (transitive reduction of an acyclic graph)."""
    above = {node: _ancestors(graph, node) for node in graph.labels}
    kept = {
        (first, second)
        for first, second in graph.edges
        if not any(first in above[other] for other in graph.before(second) if other != first)
    }
    return Graph(graph.labels, frozenset(kept))


def _ancestors(graph: Graph, node: str) -> set[str]:
    found, pending = set(), list(graph.before(node))
    while pending:
        item = pending.pop()
        if item == node:
            raise ValueError(f"the graph has a cycle through '{graph.labels[node]}'")
        if item not in found:
            found.add(item)
            pending.extend(graph.before(item))
    return found


@dataclass(frozen=True)
class Layout:
    """(Layer, place) of every node, and of what each edge passes from its first to its last node."""

    places: dict[str, tuple[int, float]]
    routes: dict[tuple[str, str], list[tuple[int, float]]]
    layers: int
    height: float


def layered(graph: Graph) -> Layout:
    """Lay a graph out: a node stands one layer after the last that it needs; few lines cross.

    Long edges get a place in every layer they pass, so that they run between nodes and not through them;
    the order within the layers follows the mean place of the neighbours (Sugiyama et al. 1981).
    """
    depth = {node: len(_longest_way(graph, node)) for node in graph.labels}
    chains = {edge: _chain(edge, depth) for edge in sorted(graph.edges)}
    rows: list[list] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(graph.labels, key=lambda node: graph.labels[node]):
        rows[depth[node]].append(node)
    for chain in chains.values():
        for item in chain[1:-1]:
            rows[item[2]].append(item)
    links = [pair for chain in chains.values() for pair in zip(chain, chain[1:], strict=False)]
    _untangle(rows, links)
    heights = _straighten(rows, links)
    places = {item: (layer, heights[item]) for layer, row in enumerate(rows) for item in row}
    routes = {edge: [places[item] for item in chain] for edge, chain in chains.items()}
    height = max(heights.values(), default=0.0)
    return Layout({node: places[node] for node in graph.labels}, routes, len(rows), height)


def _straighten(rows: list[list], links: list[tuple]) -> dict:
    """Heights of the items, at least 1 apart in their layers and near their neighbours, from 0 up."""
    neighbours = _neighbours(links)
    heights = {item: float(index) for row in rows for index, item in enumerate(row)}
    for sweep in range(_STRAIGHTENING_SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            wanted = [
                float(np.mean([heights[other] for other in neighbours.get(item, [item])])) - index
                for index, item in enumerate(row)
            ]
            for index, (item, height) in enumerate(zip(row, _rising(wanted), strict=True)):
                heights[item] = height + index
    lowest = min(heights.values(), default=0.0)
    return {item: height - lowest for item, height in heights.items()}


def _rising(wanted: list[float]) -> list[float]:
    """The rising sequence nearest to `wanted` in least squares (pooling of adjacent violators)."""
    pools: list[list[float]] = []
    for value in wanted:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return [float(np.mean(pool)) for pool in pools for _ in pool]


def _longest_way(graph: Graph, node: str) -> list[str]:
    ways = [[*_longest_way(graph, before), before] for before in graph.before(node)]
    return max(ways, key=len, default=[])


def _chain(edge: tuple[str, str], depth: dict[str, int]) -> list:
    first, second = edge
    return [first, *((first, second, layer) for layer in range(depth[first] + 1, depth[second])), second]


def _untangle(rows: list[list], links: list[tuple]) -> None:
    def mean_place(item, neighbours, order):
        places = [order[other] for other in neighbours.get(item, ()) if other in order]
        return sum(places) / len(places) if places else order[item]

    neighbours = _neighbours(links)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in range(1, len(rows)) if forward else range(len(rows) - 2, -1, -1):
            fixed = rows[layer - 1 if forward else layer + 1]
            order = {item: index / max(len(fixed) - 1, 1) for index, item in enumerate(fixed)}
            own = {item: index / max(len(rows[layer]) - 1, 1) for index, item in enumerate(rows[layer])}
            key = {item: mean_place(item, neighbours, {**own, **order}) for item in rows[layer]}
            rows[layer].sort(key=lambda item, key=key: key[item])


def _neighbours(links: list[tuple]) -> dict:
    found: dict = {}
    for first, second in links:
        found.setdefault(first, []).append(second)
        found.setdefault(second, []).append(first)
    return found

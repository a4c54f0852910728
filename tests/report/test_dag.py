"""The rule graph: reading the dot language, leaving out what follows, laying out without collisions."""

import xml.etree.ElementTree as ElementTree

import pytest

from almabrain.report import dag
from almabrain.report.dot import Graph, layered, parse, reduced


def test_dot_text_is_read(synthetic):
    graph = parse(synthetic.DOT)
    assert graph.labels == {"0": "report", "1": "query", "2": "sky", "3": "image"}
    assert graph.edges == {("1", "0"), ("1", "2"), ("2", "3"), ("2", "0"), ("3", "0")}


def test_edges_that_follow_from_others_are_left_out(synthetic):
    assert reduced(parse(synthetic.DOT)).edges == {("1", "2"), ("2", "3"), ("3", "0")}


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        reduced(Graph({"a": "a", "b": "b"}, frozenset({("a", "b"), ("b", "a")})))


def test_layers_follow_the_longest_way_and_long_edges_keep_clear_of_nodes():
    edges = {("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("e", "d")}
    layout = layered(Graph({name: name for name in "abcde"}, frozenset(edges)))
    assert {name: place[0] for name, place in layout.places.items()} == {
        "a": 0,
        "b": 1,
        "c": 2,
        "d": 3,
        "e": 0,
    }
    assert len(set(layout.places.values())) == 5
    route = layout.routes["a", "d"]
    assert [layer for layer, _ in route] == [0, 1, 2, 3]
    assert not set(route[1:-1]) & set(layout.places.values())


def test_parallel_chains_do_not_cross():
    # Named so that the alphabetical start would cross them all.
    edges = frozenset({("a1", "b3"), ("a2", "b2"), ("a3", "b1")})
    layout = layered(Graph({name: name for edge in edges for name in edge}, edges))
    places = sorted((layout.places[first][1], layout.places[second][1]) for first, second in edges)
    assert [second for _, second in places] == sorted(second for _, second in places)


def test_the_picture_is_valid_and_names_every_rule(synthetic):
    text = dag.svg(synthetic.DOT.replace("sky", "sky & <more>"))
    tree = ElementTree.fromstring(text)
    assert sorted(item.text for item in tree.iter("text")) == ["image", "query", "report", "sky & <more>"]
    width, height = (float(value) for value in tree.get("viewBox").split()[2:])
    for box in tree.iter("rect"):
        right, bottom = (float(box.get(a)) + float(box.get(b)) for a, b in (("x", "width"), ("y", "height")))
        assert 0 <= right <= width and 0 <= bottom <= height


def test_an_empty_graph_is_a_picture_too():
    assert ElementTree.fromstring(dag.svg("digraph {}")) is not None

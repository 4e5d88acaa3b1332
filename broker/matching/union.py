"""Disjoint sets of whole numbers (union-find, with path halving and union by size). Pure."""

from __future__ import annotations

from collections import defaultdict


class UnionFind:
    """Numbers in sets; a number is in a set of its own until it is united with another."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._size: dict[int, int] = {}

    def find(self, node: int) -> int:
        """The number that stands for the set of `node`."""
        parent = self._parent
        if node not in parent:
            parent[node] = node
            self._size[node] = 1
            return node
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def union(self, left: int, right: int) -> None:
        """Make one set of those of `left` and `right`."""
        left, right = self.find(left), self.find(right)
        if left == right:
            return
        if self._size[left] < self._size[right]:
            left, right = right, left
        self._parent[right] = left
        self._size[left] += self._size[right]

    def sets(self) -> list[set[int]]:
        """All sets, in the order in which a number of each was first seen."""
        members: dict[int, set[int]] = defaultdict(set)
        for node in self._parent:
            members[self.find(node)].add(node)
        return list(members.values())

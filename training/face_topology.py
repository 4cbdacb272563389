"""The face model's own topology: which vertices of the source head to keep, and the triangles between them.

Half-edge collapse: the edge that is shortest, relative to the length wanted at its place, and whose loss bends the
surface least (Garland and Heckbert's quadric error) goes first; a vertex is merged into its neighbour unless that would
flip a triangle, tear the surface or remove a protected vertex. What remains is a subset of the source's vertices, so
every shape of the source carries over exactly.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

import numpy as np

MIN_NORMAL_AGREEMENT = 0.7
TOLERANCE_CM = 0.08  # a loss that moves the surface this far counts like an edge of the length wanted
MAX_VALENCE = 10


def decimate(vertices: np.ndarray, triangles: np.ndarray, wanted_cm: np.ndarray, protected: set[int]) -> np.ndarray:
    """Triangles (F', 3) over a subset of `vertices` (V, 3) with edges of up to about `wanted_cm` (V,); `protected`
    vertices stay."""
    surface = _Surface(vertices, triangles)
    heap: list[tuple[float, int, int]] = []

    def push(gone: int, kept: int) -> None:
        if gone in protected:
            return
        price = surface.price(gone, kept, min(wanted_cm[gone], wanted_cm[kept]))
        if price < 1.0:
            heapq.heappush(heap, (price, gone, kept))

    for a, b in {tuple(sorted((t[i], t[i - 2]))) for t in triangles.tolist() for i in range(3)}:
        push(a, b)
        push(b, a)
    while heap:
        price, gone, kept = heapq.heappop(heap)
        if not surface.are_joined(gone, kept):
            continue
        now = surface.price(gone, kept, min(wanted_cm[gone], wanted_cm[kept]))
        if now > price + 1e-9:  # its surroundings have changed since
            push(gone, kept)
        elif surface.can_merge(gone, kept):
            for neighbour in surface.merge(gone, kept):
                push(kept, neighbour)
                push(neighbour, kept)
    return surface.result()


class _Surface:
    """Triangles that can lose vertices."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.vertices = vertices
        self.triangles = {i: tuple(t) for i, t in enumerate(triangles.tolist())}
        self.of_vertex: dict[int, set[int]] = defaultdict(set)
        for i, t in self.triangles.items():
            for v in t:
                self.of_vertex[v].add(i)
        self.quadric = np.zeros((len(vertices), 4, 4))
        for t in self.triangles.values():
            normal = self._normal(t)
            plane = np.append(normal, -normal @ vertices[t[0]])
            self.quadric[list(t)] += np.outer(plane, plane) / 3

    def price(self, gone: int, kept: int, wanted_cm: float) -> float:
        """How much is lost when `gone` moves to `kept`: length of the edge and bending of the surface."""
        length = np.linalg.norm(self.vertices[gone] - self.vertices[kept]) / wanted_cm
        place = np.append(self.vertices[kept], 1.0)
        bending = np.sqrt(max(place @ self.quadric[gone] @ place, 0.0)) / TOLERANCE_CM
        return float(np.hypot(length, bending))

    def neighbours(self, v: int) -> set[int]:
        return {w for i in self.of_vertex[v] for w in self.triangles[i]} - {v}

    def are_joined(self, a: int, b: int) -> bool:
        return bool(self.of_vertex[a] & self.of_vertex[b])

    def is_border(self, v: int) -> bool:
        return any(len(self.of_vertex[v] & self.of_vertex[w]) == 1 for w in self.neighbours(v))

    def can_merge(self, gone: int, kept: int) -> bool:
        shared = self.of_vertex[gone] & self.of_vertex[kept]
        common = self.neighbours(gone) & self.neighbours(kept)
        if len(common) != len(shared) or (self.is_border(gone) and len(shared) != 1):
            return False
        if len((self.neighbours(kept) | self.neighbours(gone)) - {kept, gone}) - len(shared) > MAX_VALENCE:
            return False
        return all(self._keeps_facing(i, gone, kept) for i in self.of_vertex[gone] - shared)

    def _keeps_facing(self, index: int, gone: int, kept: int) -> bool:
        before = self._normal(self.triangles[index])
        after = self._normal(tuple(kept if v == gone else v for v in self.triangles[index]))
        return before @ after > MIN_NORMAL_AGREEMENT

    def _normal(self, t: tuple[int, ...]) -> np.ndarray:
        a, b, c = self.vertices[list(t)]
        normal = np.cross(b - a, c - a)
        return normal / (np.linalg.norm(normal) + 1e-12)

    def merge(self, gone: int, kept: int) -> set[int]:
        self.quadric[kept] += self.quadric[gone]
        for i in list(self.of_vertex[gone]):
            t = self.triangles[i]
            for v in t:
                self.of_vertex[v].discard(i)
            if kept in t:
                del self.triangles[i]
                continue
            self.triangles[i] = tuple(kept if v == gone else v for v in t)
            for v in self.triangles[i]:
                self.of_vertex[v].add(i)
        del self.of_vertex[gone]
        return self.neighbours(kept)

    def result(self) -> np.ndarray:
        return np.array(list(self.triangles.values()), np.int64)


def quad_edges(triangles: np.ndarray, polygon: np.ndarray) -> dict[tuple[int, int], set[int]]:
    """Edge (a, b), a < b, of the source's polygons -> the polygons beside it; the diagonals that split quads are left
    out."""
    inside: dict[tuple[int, int, int], int] = defaultdict(int)
    for p, t in zip(polygon.tolist(), triangles.tolist(), strict=True):
        for i in range(3):
            a, b = sorted((t[i], t[i - 2]))
            inside[a, b, p] += 1
    edges: dict[tuple[int, int], set[int]] = defaultdict(set)
    for (a, b, p), count in inside.items():
        if count == 1:
            edges[a, b].add(p)
    return edges


def edge_loop(edges: dict[tuple[int, int], set[int]], start: int, second: int) -> list[int]:
    """The loop of quad edges from `start` through `second` that goes straight on at every vertex, back to the start
    (which is not repeated)."""
    joined = defaultdict(set)
    for a, b in edges:
        joined[a].add(b)
        joined[b].add(a)
    loop = [start, second]
    while loop[-1] != start:
        a, b = loop[-2:]
        beside = edges[tuple(sorted((a, b)))]
        ahead = [c for c in joined[b] if c != a and not beside & edges[tuple(sorted((b, c)))]]
        if len(ahead) != 1 or len(loop) > 1000:
            raise ValueError(f"the edge loop {start}-{second} ends at vertex {b}")
        loop.append(ahead[0])
    return loop[:-1]


def edge_path(edges: dict[tuple[int, int], set[int]], vertices: np.ndarray, stops: list[int]) -> list[int]:
    """Shortest path along quad edges through the vertices `stops`, in their order."""
    joined = defaultdict(list)
    for a, b in edges:
        length = float(np.linalg.norm(vertices[a] - vertices[b]))
        joined[a].append((b, length))
        joined[b].append((a, length))
    path = [stops[0]]
    for begin, end in zip(stops[:-1], stops[1:], strict=True):
        path += _shortest(joined, begin, end)[1:]
    return path


def _shortest(joined: dict[int, list[tuple[int, float]]], begin: int, end: int) -> list[int]:
    best, before, heap = {begin: 0.0}, {}, [(0.0, begin)]
    while heap:
        length, v = heapq.heappop(heap)
        if v == end:
            break
        for w, step in joined[v]:
            if length + step < best.get(w, np.inf):
                best[w], before[w] = length + step, v
                heapq.heappush(heap, (length + step, w))
    path = [end]
    while path[-1] != begin:
        path.append(before[path[-1]])
    return path[::-1]

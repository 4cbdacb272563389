"""Make `weights/face_model.safetensors`: the project's own compact head, learned from samples of ICT-FaceKit.

    python -m training.face_model [--data ../shared/data]

1. choose the topology: skin, socket, gums, tongue, teeth, eyeballs; dense at lips and lids (`face_topology`);
2. close the lips: at rest, for every identity, and at jawOpen = mouthClose, the inner lip edges meet;
3. draw identities at random, and keep the principal components of what they look like;
4. name the movements as ARKit does;
5. find where MediaPipe's landmarks sit, from many labelled faces (`face_landmarks`);
6. learn from the same faces what people look like that the source does not know (`face_population`).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from talkface.space import DYNAMICS_AXES
from talkface.types import FACE_PARTS
from training.face_landmarks import FACES, first_places, load_faces, refine
from training.face_population import learn_population, place_eyes
from training.face_topology import decimate, edge_loop, edge_path, quad_edges

SAMPLES = 4000
IDENTITIES = 40
# Of each eyeball only the outer shell is kept; the iris below it comes from the portrait.
PART_POLYGONS = {"face": (0, 9230), "head": (9230, 11144), "socket": (11144, 13226), "gums": (14034, 17006),
                 "teeth": (17006, 21496), "eye_left": (21496, 22296), "eye_right": (23094, 23894)}  # fmt: skip
FIRST_TONGUE_VERTEX = 16594
# Source vertices that lie on the contact lines (from the data's 68 landmark vertices) and their neighbours along the
# loop.
UPPER_LIP_LOOP = (5533, 6301)
LOWER_LIP_LOOP = (5517, 6443)
LIP_CORNERS = (5702, 6207)
LIDS = {"right": ((1507, 1542, 1537, 1528), (1507, 1511, 1518, 1528)),
        "left": ((3742, 3751, 3756, 3721), (3742, 3732, 3725, 3721))}  # fmt: skip
WANTED_CM = {"face": 0.6, "head": 1.3, "socket": 0.5, "gums_upper": 0.4, "gums_lower": 0.4, "tongue": 0.3,
             "teeth_upper": 0.2, "teeth_lower": 0.2, "eye_left": 0.3, "eye_right": 0.3}  # fmt: skip
LIP_BLEND_CM = 0.45
MERGED = {"browInnerUp": ("browInnerUp_L", "browInnerUp_R"), "cheekPuff": ("cheekPuff_L", "cheekPuff_R"),
          "cheekSquintLeft": ("cheekSquint_L", "cheekRaiser_L"),
          "cheekSquintRight": ("cheekSquint_R", "cheekRaiser_R")}  # fmt: skip


@dataclass
class Head:
    """The source head while it is being worked on: (V, 3) vertices, (60, V, 3) identity, named expressions, and so
    on."""

    vertices: np.ndarray
    identity: np.ndarray
    expressions: dict[str, np.ndarray]
    triangles: np.ndarray
    polygon: np.ndarray
    parts: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    lids: dict[str, tuple[np.ndarray, np.ndarray]]


def read_head(folder: Path) -> Head:
    """The source with parts, lip edges and lid edges found; lashes, tear film, eye sockets and lenses left out."""
    source = np.load(folder / "ict_face" / "ict_face.npz")
    vertices = source["vertices"].astype(np.float64)
    triangles, polygon = source["triangles"].astype(np.int64), source["triangle_polygon"].astype(np.int64)
    names = [str(name) for name in source["expression_names"]]
    expressions = dict(zip(names, source["expression"].astype(np.float64), strict=True))
    kept = np.zeros(len(polygon), bool)
    parts = np.full(len(vertices), 255, np.uint8)
    for name, (first, last) in reversed(PART_POLYGONS.items()):
        chosen = (polygon >= first) & (polygon < last)
        kept |= chosen
        members = np.unique(triangles[chosen])
        for part, which in _split_jaws(name, members, expressions["jawOpen"]):
            parts[which] = FACE_PARTS.index(part)
    edges = quad_edges(triangles[polygon < 9230], polygon[polygon < 9230])
    upper, lower = lip_edges(edges, vertices, expressions["jawOpen"])
    lids = {
        side: tuple(np.array(edge_path(edges, vertices, list(stops))) for stops in pair) for side, pair in LIDS.items()
    }
    identity = source["identity"].astype(np.float64)
    return Head(vertices, identity, expressions, triangles[kept], polygon[kept], parts, upper, lower, lids)


def _split_jaws(name: str, members: np.ndarray, jaw_open: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Gums and teeth, split into upper and lower by what moves with the jaw; the tongue has a vertex range of its
    own."""
    if name not in ("gums", "teeth"):
        return [(name, members)]
    tongue = members[members >= FIRST_TONGUE_VERTEX] if name == "gums" else members[:0]
    rest = np.setdiff1d(members, tongue)
    lower = np.linalg.norm(jaw_open[rest], axis=1) > 0.25
    return [("tongue", tongue), (f"{name}_upper", rest[~lower]), (f"{name}_lower", rest[lower])]


def lip_edges(edges: dict, vertices: np.ndarray, jaw_open: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner edges of the upper and of the lower lip, image left to right, sharing the two mouth corners."""
    halves = []
    for start, is_upper in ((UPPER_LIP_LOOP, True), (LOWER_LIP_LOOP, False)):
        loop = np.array(edge_loop(edges, *start))
        middle = -1.52  # how far the corners fall when the jaw opens
        half = loop[(jaw_open[loop, 1] > middle) == is_upper]
        half = half[np.abs(vertices[half, 0]) < np.abs(vertices[LIP_CORNERS[0], 0]) - 0.005]
        half = half[np.argsort(vertices[half, 0])]
        halves.append(np.concatenate([[LIP_CORNERS[0]], half[~np.isin(half, LIP_CORNERS)], [LIP_CORNERS[1]]]))
    return halves[0], halves[1]


def close_lips(head: Head) -> None:
    """Move the lips, at rest, in every identity and for mouthClose, so that their inner edges meet. In place."""
    blend = LipBlend(head)
    head.vertices = head.vertices + blend.closing(head.vertices, head.vertices)
    head.identity = np.stack([mode + blend.closing(mode, head.vertices) for mode in head.identity])
    shut = head.expressions["jawOpen"] + head.expressions["mouthClose"]
    head.expressions["mouthClose"] = head.expressions["mouthClose"] + blend.closing(shut, head.vertices)


class LipBlend:
    """Spreads a correction of the lip edges over the lips, fading with the distance from the edge."""

    def __init__(self, head: Head) -> None:
        self.upper, self.lower = head.upper_lip, head.lower_lip
        rest = head.vertices
        self.fraction = [self._along(rest[line]) for line in (self.upper, self.lower)]
        soft = np.isin(head.parts, [FACE_PARTS.index(name) for name in ("face", "socket")])
        fall = head.expressions["jawOpen"][:, 1]
        self.spread = []
        for line, other, is_upper in ((self.upper, self.lower, True), (self.lower, self.upper, False)):
            distance, nearest = cKDTree(rest[line]).query(rest)
            opposite = other[np.linspace(0, len(other) - 1, len(line)).round().astype(int)]
            middle = (fall[line] + fall[opposite])[nearest] / 2
            side = fall >= middle if is_upper else fall < middle
            weight = np.exp(-((distance / LIP_BLEND_CM) ** 2)) * soft * side
            weight[line] = 1.0
            self.spread.append((nearest, weight))

    @staticmethod
    def _along(points: np.ndarray) -> np.ndarray:
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()

    def closing(self, field: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """What to add to a displacement (V, 3) or to the positions, so that both edges agree (each moves half way)."""
        result = np.zeros_like(field)
        lines = (self.upper, self.lower)
        for i, (nearest, weight) in enumerate(self.spread):
            own, other = field[lines[i]], field[lines[1 - i]]
            met = np.stack([np.interp(self.fraction[i], self.fraction[1 - i], other[:, k]) for k in range(3)], axis=1)
            half = (met - own) / 2
            result += half[nearest] * weight[:, None]
        result[[self.upper[0], self.upper[-1]]] = 0.0
        return result


def wanted_lengths(head: Head) -> np.ndarray:
    """Edge length wanted at each vertex (V,), cm: short at lips, lids, nose and brows."""
    wanted = np.array([WANTED_CM[FACE_PARTS[p]] if p < len(FACE_PARTS) else 1.0 for p in head.parts])
    lines = [head.upper_lip, head.lower_lip, *(line for pair in head.lids.values() for line in pair)]
    edge_distance = cKDTree(head.vertices[np.concatenate(lines)]).query(head.vertices)[0]
    skin = head.parts <= FACE_PARTS.index("socket")
    near = 0.1 + 0.2 * np.maximum(edge_distance - 0.3, 0.0)
    front = head.parts == FACE_PARTS.index("face")
    middle = front & (head.vertices[:, 2] > 7.0) & (head.vertices[:, 1] > -6.0) & (head.vertices[:, 1] < 7.0)
    wanted = np.where(middle, np.minimum(wanted, 0.36), wanted)
    return np.where(skin, np.minimum(wanted, near), wanted)


def compact(head: Head) -> tuple[Head, np.ndarray]:
    """The decimated head, and for each of its vertices the source's (V',)."""
    lines = [head.upper_lip, head.lower_lip, *(line for pair in head.lids.values() for line in pair)]
    triangles = decimate(head.vertices, head.triangles, wanted_lengths(head), set(np.concatenate(lines).tolist()))
    kept = np.unique(triangles)
    place = np.full(len(head.vertices), -1)
    place[kept] = np.arange(len(kept))
    small = Head(
        vertices=head.vertices[kept],
        identity=head.identity[:, kept],
        expressions={name: shape[kept] for name, shape in head.expressions.items()},
        triangles=place[triangles],
        polygon=np.zeros(0),
        parts=head.parts[kept],
        upper_lip=place[head.upper_lip],
        lower_lip=place[head.lower_lip],
        lids={side: tuple(place[line] for line in pair) for side, pair in head.lids.items()},
    )
    return small, kept


def learn_identity(identity: np.ndarray, parts: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean shift (V, 3), basis (IDENTITIES, V, 3) per standard deviation, and the share of variance kept, from SAMPLES
    random people; the face counts more than the back of the head."""
    rng = np.random.default_rng(seed)
    modes = identity.reshape(len(identity), -1)
    weight = np.repeat(np.where(parts == FACE_PARTS.index("face"), 1.0, 0.3), 3)
    people = rng.standard_normal((SAMPLES, len(identity)))
    shift = people.mean(0) @ modes
    # Principal components of the samples (people @ modes), found in the small space of the coefficients.
    half = np.linalg.cholesky(np.cov(people.T, bias=True))
    weighted = half.T @ (modes * weight)
    variances, vectors = np.linalg.eigh(weighted @ weighted.T)
    order = np.argsort(-variances)[:IDENTITIES]
    basis = (vectors[:, order].T @ weighted) / weight
    return shift.reshape(-1, 3), basis.reshape(IDENTITIES, -1, 3), float(variances[order].sum() / variances.sum())


def named_dynamics(head: Head) -> np.ndarray:
    """(K, V, 3) displacement of each axis of `space.DYNAMICS_AXES`."""
    shapes = []
    for axis in DYNAMICS_AXES:
        if axis == "tongueOut":
            shapes.append(tongue_out(head))
            continue
        name = axis[:-4] + "_L" if axis.endswith("Left") else axis[:-5] + "_R" if axis.endswith("Right") else axis
        name = axis if axis in head.expressions else name
        shapes.append(sum(head.expressions[n] for n in MERGED.get(axis, (name,))))
    return np.stack(shapes)


def tongue_out(head: Head) -> np.ndarray:
    """The tongue slides forward, its tip most, flattens a little and dips over the lower lip."""
    shape = np.zeros_like(head.vertices)
    tongue = head.parts == FACE_PARTS.index("tongue")
    position = head.vertices[tongue]
    back, tip = position[:, 2].min(), position[:, 2].max()
    forward = np.clip((position[:, 2] - back) / (tip - back), 0.0, 1.0)
    smooth = forward * forward * (3 - 2 * forward)
    shape[tongue, 2] = 3.2 * smooth
    shape[tongue, 1] = 0.5 * smooth - 0.9 * np.maximum(forward - 0.8, 0.0) / 0.2 * smooth
    shape[tongue, 0] = -0.12 * position[:, 0] * smooth
    return shape


def fit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares centre (3,) and radius of points (N, 3)."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(design, (points**2).sum(1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))


def eyeballs(vertices: np.ndarray, basis: np.ndarray, parts: np.ndarray) -> dict[str, np.ndarray]:
    """Centres and radii of the two eyeballs and how they change with identity (the cornea's bulge left out)."""
    centres, radii, centre_modes, radius_modes = [], [], [], []
    for name in ("eye_left", "eye_right"):
        ball = vertices[parts == FACE_PARTS.index(name)]
        modes = basis[:, parts == FACE_PARTS.index(name)]
        back = ball[:, 2] < np.quantile(ball[:, 2], 0.6)
        centre, radius = fit_sphere(ball[back])
        moved = [fit_sphere(ball[back] + mode[back]) for mode in modes]
        centres.append(centre)
        radii.append(radius)
        centre_modes.append([c - centre for c, _ in moved])
        radius_modes.append([r - radius for _, r in moved])
    return {
        "eye_centres": np.array(centres),
        "eye_radii": np.array(radii),
        "eye_centre_identity": np.array(centre_modes).transpose(1, 0, 2),
        "eye_radius_identity": np.array(radius_modes).T,
    }


def build(folder: Path, log=print) -> dict[str, np.ndarray]:
    """All tensors of the face model, from the data in `folder`."""
    head = read_head(folder)
    close_lips(head)
    small, source_of = compact(head)
    log(f"{len(source_of)} vertices, {len(small.triangles)} triangles")
    shift, identity, share = learn_identity(small.identity, small.parts)
    log(f"{IDENTITIES} identity components keep {share:.4f} of the variance")
    mean, dynamics = small.vertices + shift, named_dynamics(small)
    faces = load_faces(folder)
    places = first_places(small, mean, source_of, faces[: FACES["generated"]])
    places = refine(small, (mean, identity, dynamics), places, faces[::4], 6, log)
    mean, identity = learn_population(small, (mean, identity, dynamics), places, folder, LipBlend(small), log)
    places = refine(small, (mean, identity, dynamics), places, faces, 3, log)
    balls = eyeballs(mean, identity, small.parts)
    shift = place_eyes((mean, identity, dynamics), places, balls, faces, log)
    balls["eye_centres"] += shift
    for eye, name in enumerate(("eye_left", "eye_right")):
        mean[small.parts == FACE_PARTS.index(name)] += shift[eye]
    return {
        "mean": mean,
        "identity": identity,
        "dynamics": dynamics,
        "triangles": small.triangles,
        "parts": small.parts,
        "upper_lip": small.upper_lip,
        "lower_lip": small.lower_lip,
        "landmark_vertices": places.vertices,
        "landmark_weights": places.weights,
        **balls,
    }


def main() -> None:
    """Build the model and store it."""
    import torch

    from training.store import store

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    tensors = build(parser.parse_args().data)
    config = {"dynamics_axes": list(DYNAMICS_AXES), "parts": list(FACE_PARTS), "identity_samples": SAMPLES}
    path = store(
        "face_model",
        config,
        {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()},
        about="Compact head with identities, named movements, mouth, teeth, tongue, eyeballs and landmark places.",
        data="samples of ICT-FaceKit (light); landmark places from the labelled faces of data/faces",
        licence="learned from ICT-FaceKit, USC ICT, MIT licence",
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

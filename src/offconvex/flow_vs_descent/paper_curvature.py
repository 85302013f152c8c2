"""Stored experiment: extreme eigenvalues of the source's networks along their runs and at random points."""

from collections.abc import Mapping
from dataclasses import dataclass

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.flow_vs_descent import courses
from offconvex.flow_vs_descent.courses import Course
from offconvex.flow_vs_descent.curvature import extremes
from offconvex.flow_vs_descent.model import PAPER_NETWORKS, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.stored import Stored, StoredExperiment

NETWORKS = tuple(PAPER_NETWORKS)


@dataclass(frozen=True)
class Curvature:
    """The networks of the source at 784 pixels, from Glorot's start at the source's step.

    Attributes:
        iterations: steps of descent, one number per network.
        records: times at which gradients are measured.
        checks: times after the start with eigenvalues.
        scales: of the random points.
        draws: random points per scale.
        seed: of starts and points.
        device: where it runs.
    """

    iterations: tuple[int, ...] = (10_000, 10_000)
    records: int = 200
    checks: int = 16
    scales: tuple[float, ...] = (1.0, 2.0, 4.0)
    draws: int = 2
    seed: int = 0
    device: str = "cpu"

    def course(self, name: str) -> Course:
        """Settings of one network's run."""
        return Course(
            PAPER_NETWORKS[name],
            rate=1e-3,
            iterations=self.iterations[NETWORKS.index(name)],
            count=1000,
            side=28,
            records=self.records,
            checks=self.checks,
            stream="start",  # that of the stored step sizes, so that the distances there belong to these eigenvalues
        )


def curvature_parts(config: Curvature) -> dict[str, tuple[str, str]]:
    """A course and random points for each network."""
    return {f"{kind}-{name}": (kind, name) for kind in ("course", "random") for name in NETWORKS}


def run_curvature(config: Curvature, kind: str, name: str) -> Arrays:
    """Records of `courses.follow` for a "course", of `courses.random_points` for "random" points."""
    rt = runtime.resolve(config.device)
    if kind == "course":
        return courses.follow(config.course(name), rt, config.seed)
    return courses.random_points(config.course(name), rt, config.seed, config.scales, config.draws)


def assemble_curvature(config: Curvature, results: Mapping[tuple, Arrays]) -> Arrays:
    """All arrays as "KIND-NAME array"."""
    return {f"{kind}-{name} {k}": v for (kind, name), arrays in results.items() for k, v in arrays.items()}


def course_of(stored: Stored, name: str) -> Arrays:
    """Records of one network's course."""
    prefix = f"course-{name} "
    return {key.removeprefix(prefix): value for key, value in stored.arrays.items() if key.startswith(prefix)}


def first_difference(stored: Stored[Curvature], name: str) -> float:
    """Largest relative difference of the eigenvalues at the start, computed again, from the stored ones."""
    config = stored.config
    course, rt = config.course(name), runtime.resolve(config.device)
    loss = network_loss(course.network, images(rt, count=course.count, side=course.side))
    start = course.start(rt, config.seed)
    found = extremes(loss.linearize(start)[1], start, rng.numpy_generator(1, "check"), tolerance=1e-2)
    kept = course_of(stored, name)
    return float(max(abs(found.least / kept["least"][0, 0] - 1), abs(found.most / kept["most"][0, 0] - 1)))


CURVATURE = StoredExperiment(
    "flow-curvature", "flow-vs-descent", Curvature(), curvature_parts, run_curvature, assemble_curvature
)

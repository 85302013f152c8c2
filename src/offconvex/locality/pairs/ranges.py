"""Penalties at every range: which of them brings networks to learn what they see? Float32: networks, not theorems."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from offconvex import configs, rng, runtime
from offconvex.files import Arrays
from offconvex.locality import training
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import NAMES, PairSetting
from offconvex.locality.training import History, TrainingSchedule
from offconvex.runtime import Runtime
from offconvex.stored import Stored, StoredExperiment

NONE = {"strength": 0.0, "first": 0.0, "settling": 0.0}
ARMS: dict[str, dict[str, object]] = {
    "plain": {"schedule": NONE},
    "cosine": {"schedule": {"first": 30.0, "strength": 4.0}},
    "logarithm": {"schedule": {"penalty": "logarithm", "first": 0.3, "strength": 0.05}},
    "wrong patches": {"schedule": {"penalty": "logarithm", "first": 0.3, "strength": 0.05}, "within": True},
    "decay 0.001": {"schedule": {**NONE, "decay": 1e-3}},
    "decay 0.01": {"schedule": {**NONE, "decay": 1e-2}},
    "constant logarithm": {"schedule": {"penalty": "logarithm", "first": 0.05, "strength": 0.05}},
    "constant cosine": {"schedule": {"first": 8.0, "strength": 8.0}},
    "scaled cosine": {"schedule": {"first": 3.0, "strength": 0.4, "relative": True}},
}
"""What is changed of the setting by each arm; the scaled cosine has the cosine's course where the change is a tenth."""


@dataclass(frozen=True)
class RangePoint:
    """One arm at one gap, for networks of one depth.

    Attributes:
        arm: a name in ARMS.
        blocks: of the networks.
        gap: between the images.
        count: how many networks.
    """

    arm: str
    blocks: int
    gap: int
    count: int


@dataclass(frozen=True)
class RangeStudy:
    """Arms x gaps for networks that see some of both images, and for networks of which every unit sees all of both.

    Attributes:
        gaps: between the images, for the plain arm, the cosine and the logarithm.
        limit: one more gap for the short networks, at which an earlier study failed.
        far: gaps of the controls.
        short: blocks of the short networks.
        long: blocks of the long ones, which take plain and logarithm at every gap, the cosine at every other.
        base: everything else.
        seeds: networks at each point.
        together: how many of them make one part, and the number at points that only the choice of lambda asks for.
        seed: of pairs, starts and batches.
    """

    gaps: tuple[int, ...] = (0, 4, 8, 12, 16, 20)
    limit: int = 10
    far: tuple[int, ...] = (8, 16)
    short: int = 5
    long: int = 16
    base: PairSetting = PairSetting(
        schedule=TrainingSchedule(epochs=160, rate=3e-3, settling=40.0, records=16), count=256, held_out=2000
    )
    seeds: int = 8
    together: int = 4
    seed: int = 600

    def __post_init__(self):
        if self.seeds % self.together:
            raise ValueError(f"`together` must divide `seeds`; got {self.together} and {self.seeds}.")
        long = self.setting(RangePoint("plain", self.long, max(self.gaps), 1))
        across = long.task.canvas[2]
        if long.architecture.receptive_field[1] < 2 * across - 1:
            raise ValueError(
                f"Every unit of the long networks must see all {across} columns, which takes a receptive field of "
                f"{2 * across - 1}; got {long.architecture.receptive_field[1]}."
            )
        if not self.setting(RangePoint("plain", self.short, max(self.gaps), 1)).spans:
            raise ValueError(f"The short networks must see pixels of both images at every gap; those of {self} do not.")

    def setting(self, point: RangePoint) -> PairSetting:
        """What networks of a point learn and how."""
        place = {"task": {"gap": point.gap}, "architecture": {"blocks": point.blocks}}
        return configs.varied(configs.varied(self.base, **place), **ARMS[point.arm])

    @property
    def points(self) -> tuple[RangePoint, ...]:
        """All of them, those of the headline first."""
        main = ("plain", "cosine", "logarithm")
        short = [(arm, self.short, gap, self.seeds) for gap in sorted((*self.gaps, self.limit)) for arm in main]
        decay = [
            (f"decay {d:g}", self.short, gap, self.seeds) for gap in (self.gaps[0], *self.far) for d in (1e-3, 1e-2)
        ]
        control = [("wrong patches", self.short, gap, self.seeds) for gap in self.far]
        constant = [("constant logarithm", self.short, gap, self.seeds) for gap in self.far]
        constant += [("constant cosine", self.short, self.far[-1], self.together)]
        scaled = [("scaled cosine", self.short, gap, self.together) for gap in self.gaps if gap >= self.far[0]]
        long = [(arm, self.long, gap, self.seeds) for gap in self.gaps for arm in ("plain", "logarithm")]
        stalls = [("cosine", self.long, gap, self.seeds) for gap in (self.gaps[0], *self.far)]
        return tuple(RangePoint(*p) for p in (*short, *control, *decay, *constant, *scaled, *long, *stalls))

    def settings(self) -> dict[str, object]:
        """What the stored result is known by: all fields, and what the arms change."""
        return asdict(self) | {"arms": ARMS}

    def row(self, arm: str, gap: int, *, long: bool = False) -> int:
        """Where a point stands in the stored arrays.

        Raises:
            ValueError: if the study has no such point.
        """
        places = {(p.arm, p.blocks, p.gap): i for i, p in enumerate(self.points)}
        key = (arm, self.long if long else self.short, gap)
        if key not in places:
            raise ValueError(f"The study has no {arm!r} at gap {gap} for networks of {key[1]} blocks.")
        return places[key]


def parts(config: RangeStudy) -> dict[str, tuple[RangePoint, range]]:
    """A point and a group of its networks."""
    return {
        f"{p.arm.replace(' ', '-')}-{p.blocks}-gap-{p.gap}-networks-{start}": (p, range(start, start + config.together))
        for p in config.points
        for start in range(0, p.count, config.together)
    }


def run(config: RangeStudy, point: RangePoint, replicas: range) -> Arrays:
    """Arrays (T, R) of the histories, and (R,) at the end: accuracy to choose by, surrogate within an image."""
    rt, setting = runtime.resolve("cpu", torch.float32), config.setting(point)
    history = settings.train(setting, rt, config.seed, replicas)
    choose, _ = training.evaluate(setting.architecture, history.weights, *settings.validation(setting, rt, config.seed))
    held, _ = settings.data(setting, rt, config.seed, replicas[:1])[1]
    within = training.similarity(setting.architecture, history.weights, held[:256], setting.task.halves)
    return {"epochs": history.epochs, "choose": choose, "within": within} | {n: getattr(history, n) for n in NAMES}


def assemble(config: RangeStudy, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (points, T, R), those at the end (points, R); where a point has fewer networks the rest is NaN."""
    arrays = list(results.values())
    together = {"epochs": arrays[0]["epochs"]}
    for name in (*NAMES, "choose", "within"):
        rows = []
        for point in config.points:
            own = [a[name] for key, a in results.items() if key[0] == point]
            row = np.concatenate(own, -1)
            missing = np.full((*row.shape[:-1], config.seeds - row.shape[-1]), np.nan)
            rows.append(np.concatenate([row, missing], -1))
        together[name] = np.stack(rows)
    return together


RANGES = StoredExperiment("locality-ranges", "locality", RangeStudy(), parts, run, assemble)
"""Plain networks, the source's penalty and its logarithm at every range, and what else might do it."""


LEFT = 0.1
"""A network has left the plateau when one minus the surrogate first exceeds this."""


@dataclass(frozen=True)
class RangeOutcome:
    """What the networks of one arm came to, arrays (gaps, R), with NaN where a point has fewer networks.

    Attributes:
        train: accuracy on the training pairs at the end.
        test: accuracy on the test pairs at the end.
        choose: accuracy on new pairs of the training images at the end.
        across: one minus the surrogate across the gap at the end.
        within: one minus the surrogate between the halves of one image at the end.
        epoch: at whose record the network had left the plateau; the last one for networks that never did.
    """

    train: np.ndarray
    test: np.ndarray
    choose: np.ndarray
    across: np.ndarray
    within: np.ndarray
    epoch: np.ndarray


def outcome(study: Stored[RangeStudy], arm: str, gaps: Sequence[int], *, long: bool = False) -> RangeOutcome:
    """Read one arm of the stored study at some gaps.

    Raises:
        ValueError: if the study has no such point.
    """
    rows = [study.config.row(arm, gap, long=long) for gap in gaps]
    train, test, similarity = (study[name][rows] for name in ("train", "test", "similarity"))
    gone = 1 - similarity > LEFT
    epoch = np.where(gone.any(1), study["epochs"][gone.argmax(1)], study["epochs"][-1])
    epoch = np.where(np.isnan(similarity[:, -1]), np.nan, epoch)
    choose, within = study["choose"][rows], 1 - study["within"][rows]
    return RangeOutcome(train[:, -1], test[:, -1], choose, 1 - similarity[:, -1], within, epoch)


def first_epochs(config: RangeStudy, point: RangePoint, epochs: int, rt: Runtime, seed: int) -> History:
    """The first epochs of a point's networks, before their rate falls, as a chapter of that seed trains them.

    With seed 0 they are the very networks of the study, with another new ones, from a stream of their own.

    Raises:
        ValueError: if the rate of the study's networks falls sooner.
    """
    setting = config.setting(point)
    whole = setting.schedule.epochs * (1 - setting.schedule.final)
    if not setting.schedule.settling <= epochs <= whole:
        raise ValueError(
            f"`epochs` must lie between {setting.schedule.settling:g}, when lambda has fallen, and {whole:g}, when the "
            f"rate begins to fall; got {epochs}."
        )
    start = configs.varied(setting, schedule={"epochs": epochs, "final": 0.0, "records": 1})
    own = rng.stream_seed(seed, "locality ranges") if seed else config.seed
    return settings.train(start, rt, own, range(point.count))

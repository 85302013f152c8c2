"""Runs a stored experiment part by part, and takes it up again where it stopped."""

import dataclasses
import json
import time
from pathlib import Path

from tqdm import tqdm

from offconvex import files, paths, stored
from offconvex.book import processes
from offconvex.book.execution import code, provenance
from offconvex.book.execution.chapters import nearest


def run(name: str, *, workers: int = 2, device: str | None = None) -> Path:
    """Run the missing parts of an experiment, `workers` at a time, then store the whole; return the stored file.

    Finished parts wait in `_build/stored/`, under the settings and the code that made them, until the whole is stored.

    Raises:
        ValueError: if there is no such experiment, it offers no choice of device, or parts have the same arguments.
        OSError: if a part cannot be written.
        ChildProcessError: if the processes of some parts were killed; all others are finished and kept.
    """
    experiment = find(name)
    if device is not None:
        if "device" not in {field.name for field in dataclasses.fields(experiment.config)}:
            raise ValueError(f"{name} offers no choice of device.")
        experiment = dataclasses.replace(experiment, config=dataclasses.replace(experiment.config, device=device))
    start = time.monotonic()
    folder = _parts_folder(experiment)
    parts = experiment.parts(experiment.config)
    if len(set(parts.values())) < len(parts):
        raise ValueError(f"Two parts of {name} have the same arguments: {', '.join(parts)}.")
    files.probe(paths.committed_results(experiment.chapter))
    missing = [part for part in parts if _read(folder, part) is None]
    killed = []
    with (
        processes.at_work(_run_part, [(name, device, part, folder) for part in missing], workers=workers) as ended,
        tqdm(total=len(parts), initial=len(parts) - len(missing), desc=name, unit="part", disable=None) as bar,
    ):
        for (_, _, part, _), _, future in ended:
            try:
                future.result()
                bar.update()
            except ChildProcessError:
                killed.append(part)
    if killed:
        raise ChildProcessError(
            f"{name}, part {' and part '.join(killed)}: {processes.KILLED}; the finished parts are kept, run it again."
        )
    kept = [_read(folder, part) for part in parts]
    last = time.process_time()
    results = dict(zip(parts.values(), (arrays for arrays, *_ in kept)))
    arrays = experiment.assemble(experiment.config, results)
    record = provenance.describe(experiment.chapter, stored.settings(experiment.config), time.monotonic() - start)
    processor = dict(zip(parts, (spent for *_, spent in kept))) | {"assemble": time.process_time() - last}
    times = {
        "computing_seconds": round(sum(seconds for _, seconds, _ in kept), 1),
        "processor_seconds": {part: round(spent, 1) for part, spent in processor.items()},
    }
    return experiment.save(arrays, record | times)


def find(name: str) -> stored.StoredExperiment:
    """The stored experiment of that name.

    Raises:
        ValueError: if there is none; the message lists them.
    """
    known = stored.experiments()
    if name not in known:
        raise ValueError(f"no experiment {name!r}{nearest(name, known)}; experiments are: {', '.join(sorted(known))}.")
    return known[name]


def _run_part(name: str, device: str | None, part: str, folder: Path) -> None:
    # Functions do not travel between processes well, so each process finds the experiment by its name. It keeps its
    # part itself, so that a failure elsewhere costs nothing that is finished.
    experiment = find(name)
    config = experiment.config if device is None else dataclasses.replace(experiment.config, device=device)
    start, processor = time.monotonic(), time.process_time()
    arrays = experiment.run(config, *experiment.parts(config)[part])
    spent = {"seconds": time.monotonic() - start, "processor_seconds": time.process_time() - processor}
    files.write_arrays(folder / f"{part}.npz", arrays, spent)


def _parts_folder(experiment: stored.StoredExperiment) -> Path:
    # Parts made by other code, however far from the experiment, must not be mixed.
    made_by = code.function_version(experiment.parts, experiment.run, experiment.assemble)
    # And a part's arguments may say more than the settings do: those of a trial stand in trials.toml, and nowhere else.
    arguments = repr(experiment.parts(experiment.config))
    key = json.dumps([stored.settings(experiment.config), arguments, made_by], sort_keys=True)
    return paths.build_folder() / "stored" / experiment.name / files.digest(key.encode())[:16]


def _read(folder: Path, part: str) -> tuple[files.Arrays, float, float] | None:
    # Arrays, seconds and processor time of a finished part; None if it is absent or damaged, so that it is run again.
    # Without the checksum a flipped bit in the archive's directory would make an array disappear without a word.
    try:
        arrays, about = files.read_arrays(folder / f"{part}.npz", "run it again.")
        return arrays, float(about["seconds"]), float(about["processor_seconds"])
    except (ValueError, LookupError, TypeError):
        return None

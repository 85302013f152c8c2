"""The `offconvex` command."""

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator

from offconvex import __version__

DEVICES = ("auto", "cpu", "cuda", "mps")  # those of offconvex.runtime, which takes seconds to import


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status.

    It is 0, 1 if a chapter or a file failed, 2 for bad input, and the shell's numbers for it if the command is stopped:
    130 if interrupted, 143 if told to end, 141 if nobody reads the output any more, as after `head`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # citations have letters that not every language has
    try:
        with _told_to_end():
            return _status(arguments)
    except BrokenPipeError:
        return 141
    finally:
        _let_go_of_output()


def _status(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        status = options.command(options)
        print(end="", flush=True)  # what cannot be written is found out here
        return status
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        from offconvex import files

        print(f"offconvex: {files.reason(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError | FileNotFoundError) else 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "offconvex":
            raise  # no reader's environment lacks a part of the package itself
        print(
            f"offconvex: this command needs {error.name}, which is not installed; run "
            "`pip install -r requirements.txt` in the book's checkout.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as stop:
        print("\noffconvex: interrupted; every committed file is as it was before, or complete.", file=sys.stderr)
        return 128 + (stop.args or (signal.SIGINT,))[0]


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    # A batch system or a closing terminal ends a command like Ctrl-C: what it started ends with it, and it says so.
    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(number)

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, stop)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _let_go_of_output() -> None:
    # What could not be written cannot be written when Python ends either, which would say so in its own words, or from
    # Python 3.13 on, where messages are kept as output is, by a status of its own.
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            print(end="", flush=True, file=stream)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _execute(options: argparse.Namespace) -> int:
    from offconvex.book.execution import execute

    given = [tuple(pair) for pair in options.parameters]
    jobs = execute.plan(options.chapters, given=given, profile=options.profile, device=options.device)
    return int(any(outcome.error for outcome in execute.run(jobs, workers=options.jobs)))


def _retell(options: argparse.Namespace) -> int:
    from offconvex.book.execution import chapters, retell

    for chapter in options.chapters or chapters.names():
        if retell.retell(chapter):
            print(f"{chapter}: text taken over")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from offconvex import paths
    from offconvex.book.execution import chapters, checksums, compare

    wrong = 0
    for chapter in [chapters.require(name) for name in options.chapters] or chapters.names():
        fresh = paths.live_results(chapter)
        if not fresh.is_dir():
            raise ValueError(f"{chapter} was not executed freshly: no results in _build/live/{chapter}.")
        found = checksums.faults(chapter)
        found += compare.differences(fresh, paths.committed_results(chapter), compare.load_tolerances())
        wrong += len(found)
        print(f"{chapter}: {'fresh results agree with the committed ones' if not found else ''}")
        for sentence in found:
            print(f"    {sentence}")
    return int(wrong > 0)


def _run(options: argparse.Namespace) -> int:
    from offconvex import paths, stored
    from offconvex.book.execution import long_run

    if options.experiment is None:
        for experiment in stored.experiments().values():
            print(f"{experiment.name}  (chapter {experiment.chapter})")
        return 0
    paths.require_project_root()  # where the result will be stored, hours later
    print(f"stored: {long_run.run(options.experiment, workers=options.jobs, device=options.device).name}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from offconvex import claims
    from offconvex.book.execution import chapters, sweep

    chapter = chapters.require(options.chapter)
    seeds = sweep.read_seeds(options.seeds, sweep.load(chapter))
    fresh = options.seeds.startswith("random:")  # known from this line alone until they have a record
    again = f"to go on: offconvex sweep {chapter} --seeds {','.join(map(str, seeds))}" if fresh else ""
    if fresh:
        print(f"{len(seeds)} fresh seed{'s' * (len(seeds) > 1)}; {again}", flush=True)
    try:
        records = sweep.run(chapter, seeds, workers=options.jobs, scheduler=options.scheduler)
    except KeyboardInterrupt:
        print(f"\n{again}", file=sys.stderr)
        raise
    registry = claims.load()
    wrong = [sweep.missed(registry, chapter, record) for record in records.values()]
    print(f"\n{chapter}, {len(seeds)} seed{'s' * (len(seeds) > 1)}:")
    for claim in registry.values():
        if claim.chapter == chapter:
            kind = f"  {claim.kind}" if claim.kind in ("refuted", "unreproduced") else ""
            print(f"    {claim.id:40} {sum(claim.id not in w for w in wrong):4} of {len(seeds)}{kind}")
    return int(any(wrong))


def _carry(options: argparse.Namespace) -> int:
    from pathlib import Path

    from offconvex.book.execution import carry

    for line in carry.carry(options.chapters, Path(options.checkout)):
        print(line)
    return 0


def _gpu(options: argparse.Namespace) -> int:
    from offconvex.book.card import device

    device.require()
    from offconvex.book.card import parts, session

    return int(session.run(parts.listed(), budget=options.budget, jobs=options.jobs) > 0)


def _cite(options: argparse.Namespace) -> int:
    from offconvex.book.publication import cite

    print(cite.FORMATS[options.format](options.figure).rstrip())
    return 0


def _publish(options: argparse.Namespace) -> int:
    from offconvex.book.publication import published

    for id in published.append_new():
        print(f"published: {id}")
    published.write_manifest()
    return 0


def _seal(options: argparse.Namespace) -> int:
    from offconvex import files, paths
    from offconvex.book.execution import chapters, checksums, sweep

    for chapter in [chapters.require(name) for name in options.chapters] or chapters.names():
        if (paths.committed_results(chapter) / "claims.json").exists():
            checksums.write(chapter)
        if sweep.place(chapter).exists():
            files.seal(sweep.place(chapter))
    return 0


def _offline(options: argparse.Namespace) -> int:
    from offconvex import paths
    from offconvex.book.publication import offline, printed

    for file in offline.make():
        print(file.relative_to(paths.require_project_root()))
    if printed.browser() is None:
        print("no PDF: printing needs a browser; install Chromium and run this again.")
    return 0


def _release(options: argparse.Namespace) -> int:
    from offconvex import paths
    from offconvex.book.publication import release

    print(release.make().relative_to(paths.require_project_root()))
    return 0


def _chapters(options: argparse.Namespace) -> int:
    from offconvex.book.execution import chapters, convert

    for chapter in chapters.names():
        defaults = chapters.default_parameters(convert.to_notebook(chapter))
        print(f"{chapter}: " + ", ".join(f"{name}={value!r}" for name, value in defaults.items()))
    return 0


def _razor(options: argparse.Namespace) -> int:
    from pathlib import Path

    from offconvex.holdout.razor import calculator

    try:
        text = Path(options.file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {options.file!r}; give the path of a description.") from None
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{options.file!r} cannot be read as text; give the path of a description.") from None
    found = calculator.assess(text, error=options.error, size=options.size, delta=options.delta)
    print(calculator.report(found, error=options.error, delta=options.delta))
    return 0


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="offconvex", description='Make, re-execute and cite the book "Off the Convex Path, Executed".'
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "execute",
        help="execute chapters",
        description="Without options the committed notebooks, figures and results are replaced, each chapter's all "
        "together, after a clean run. With -p, --profile or --device results go to _build/runs/.",
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    command.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    command.add_argument("--profile", help="parameter set: smoke (tiny sizes) or paper (the source's own)")
    command.add_argument("--device", choices=DEVICES)
    command.add_argument("--jobs", type=_count, default=2, help="chapters at a time (default: 2)")
    command.set_defaults(command=_execute)

    command = commands.add_parser(
        "retell",
        help="take changed text and model cells into executed notebooks",
        description="Chapters whose text, captions, alternative texts or model cell changed and whose other code did "
        "not need no new execution: their committed notebooks take the text over and keep their outputs. A changed "
        "model cell is executed alone.",
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    command.set_defaults(command=_retell)

    command = commands.add_parser("compare", help="compare fresh results (_build/live) with the committed ones")
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    command.set_defaults(command=_compare)

    command = commands.add_parser(
        "run",
        help="run a stored experiment",
        description="Runs a long experiment and stores its result beside the chapter that shows it. Finished parts are "
        "kept, so that an interrupted run goes on where it stopped.",
    )
    command.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="default: list the experiments")
    command.add_argument("--device", choices=DEVICES)
    command.add_argument("--jobs", type=_count, default=2, help="parts at a time (default: 2)")
    command.set_defaults(command=_run)

    command = commands.add_parser(
        "sweep",
        help="run a chapter for many seeds",
        description="Runs a chapter for each seed and keeps what every claim measured, in "
        "book/results/CHAPTER/sweep.json. Seeds that the present code has run already are not run again. "
        "random:N draws N seeds that nobody has tried, prints them first, and keeps them like all others.",
    )
    command.add_argument("chapter", metavar="CHAPTER")
    command.add_argument(
        "--seeds",
        default="0:16",
        metavar="SEEDS",
        help="FIRST:END without END, SEED,SEED,... or random:N with N up to 1000 (default: 0:16)",
    )
    command.add_argument("--jobs", type=_count, default=2, help="seeds at a time on this machine (default: 2)")
    command.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="run on the workers of this Dask scheduler")
    command.set_defaults(command=_sweep)

    command = commands.add_parser(
        "carry",
        help="carry seeds over to code that gives the same bytes",
        description="After a change of code that changes no number: records of seeds by the code of CHECKOUT, a "
        "checkout of an earlier commit, become records by this one's. First execute the chapters in both, on one "
        "machine; every array, table and claim must be the same bytes. Records by yet other code stay as they are.",
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    command.add_argument("--from", dest="checkout", required=True, metavar="CHECKOUT")
    command.set_defaults(command=_carry)

    command = commands.add_parser(
        "gpu",
        help="measure engines and chapters on a CUDA device",
        description="Runs what has not been measured yet by the present code: every chapter at tiny size, the engines "
        "against one core, and some chapters at their committed sizes. Each part is kept in book/results/gpu.json when "
        "it ends; one that the rest of the budget does not suffice for is left for the next call.",
    )
    command.add_argument("--budget", type=_count, default=600, metavar="SECONDS", help="of this call (default: 600)")
    command.add_argument("--jobs", type=_count, default=1, help="chapters at a time (default: 1)")
    command.set_defaults(command=_gpu)

    command = commands.add_parser("cite", help="print how to cite a figure")
    command.add_argument("figure", metavar="fig-...")
    command.add_argument("--format", choices=("bibtex", "ris", "text"), default="bibtex", help="default: bibtex")
    command.set_defaults(command=_cite)

    command = commands.add_parser(
        "razor",
        help="bits of a model's description, and the bound on its true error",
        description="Reads lines such as `graph: input 784 -> dense 10 -> softmax` or `phrase: sgd rate 0.1`. "
        "The chapter meta-overfitting explains the code and the bounds.",
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("--error", type=float, metavar="E", help="test error as a share: 0.0449 for 4.49 %%")
    command.add_argument("--size", type=_count, metavar="N", help="examples in the test set")
    command.add_argument("--delta", type=float, default=0.05, help="chance that the bound fails (default: 0.05)")
    command.set_defaults(command=_razor)

    command = commands.add_parser(
        "seal",
        help="write the checksums of committed results as they are",
        description="An execution and a sweep do this themselves; it is needed after a merge that brought results "
        "together. Look at what git says has changed first: what is damaged now would be vouched for.",
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    command.set_defaults(command=_seal)

    command = commands.add_parser(
        "publish", help="add new page, figure and claim ids to book/published_ids.txt, and figures to codecheck.yml"
    )
    command.set_defaults(command=_publish)

    command = commands.add_parser(
        "offline", help="the built book as one PDF and one archive, linked from its first page"
    )
    command.set_defaults(command=_offline)

    command = commands.add_parser(
        "release", help="archive the present commit with its built pages and their description"
    )
    command.set_defaults(command=_release)

    command = commands.add_parser("chapters", help="list chapters and their parameters")
    command.set_defaults(command=_chapters)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Stored experiments of the chapter on locality."""

from offconvex.locality.pairs import study as experiments
from offconvex.locality.pairs import trials as search
from offconvex.locality.pathfinder import apart
from offconvex.locality.pathfinder import small as small_pathfinder
from offconvex.locality.pathfinder import study as path_study
from offconvex.stored import legacy

FIRST_STUDY = legacy(
    name="locality-first-study",
    chapter="locality",
    config=experiments.FIRST_STUDY,
    parts=experiments.study_parts,
    run=experiments.run_study_part,
    assemble=experiments.assemble_study,
)
"""The study that was made first, up to gap 10, where the regularizer failed."""

STUDY = legacy(
    name="locality-study",
    chapter="locality",
    config=experiments.PairStudy(),
    parts=experiments.study_parts,
    run=experiments.run_study_part,
    assemble=experiments.assemble_study,
)
"""Gaps x strengths x seeds, and the networks that cannot span."""

TRIED = legacy(
    name="locality-tried",
    chapter="locality",
    config=search.PairSearch(),
    parts=search.parts,
    run=search.run_part,
    assemble=search.assemble,
)
"""Every setting that was looked at before the first study was fixed, with its result, whatever it was."""

LATER = legacy(
    name="locality-tried-later",
    chapter="locality",
    config=search.PairSearch(tuple(search.LATER)),
    parts=search.parts,
    run=search.run_part,
    assemble=search.assemble,
)
"""Every setting that was looked at between the first study and the second."""

PATHFINDER = legacy(
    name="locality-pathfinder",
    chapter="locality",
    config=small_pathfinder.SmallPathfinder(),
    parts=small_pathfinder.parts,
    run=small_pathfinder.run_part,
    assemble=small_pathfinder.assemble,
)
"""Small networks on short and long paths."""

PATH_STUDY = legacy(
    name="locality-pathfinder-study",
    chapter="locality",
    config=path_study.PathStudy(),
    parts=path_study.study_parts,
    run=path_study.run_study_part,
    assemble=path_study.assemble_study,
)
"""The regularizer on long paths."""

PATHS_TRIED = legacy(
    name="locality-pathfinder-tried",
    chapter="locality",
    config=path_study.PathSearch(),
    parts=path_study.search_parts,
    run=path_study.run_search_part,
    assemble=path_study.assemble_search,
)
"""Settings looked at before that study."""

APART_STUDY = legacy(
    name="locality-pathfinder-apart",
    chapter="locality",
    config=apart.ApartStudy(),
    parts=path_study.study_parts,
    run=apart.run_study_part,
    assemble=path_study.assemble_study,
)
"""The regularizer on long paths, with more images and its patches far apart."""

APART_TRIED = legacy(
    name="locality-pathfinder-apart-tried",
    chapter="locality",
    config=apart.ApartSearch(),
    parts=path_study.search_parts,
    run=path_study.run_search_part,
    assemble=path_study.assemble_search,
)
"""Settings looked at before that one."""

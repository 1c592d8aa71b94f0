"""Opening a run's folder: from its brief to a job with everything at hand.

A folder that has lost files, or all of them (a loss of power, the end of their time to live), is
made whole again; what the journal says of chunks that are gone is forgotten when it is loaded.
"""

from collections.abc import Awaitable, Callable

from hmz_backend.planning.inputs import input_plan
from hmz_backend.runs.blending import BlendWork
from hmz_backend.runs.brief import Brief, OtherInput
from hmz_backend.runs.cropping import CropWork
from hmz_backend.runs.feed import Feed
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.job import Job
from hmz_backend.runs.join_log import JoinLog
from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.output_array import OutputFile, Wrote
from hmz_backend.runs.output_work import OutputWork
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.row_work import RowWork
from hmz_backend.runs.table_file import TableFile
from hmz_backend.runs.tiles import Tiles
from napari_hmz.schema import OutputArray, full_region


async def open_job(
    folder: RunFolder, parts: Parts, make_brief: Callable[[], Awaitable[Brief]]
) -> Job:
    """Return the job of the run in `folder`, new or interrupted.

    Raises
    ------
    HmzError
        If the brief is lost, and cannot be made again.
    """
    await parts.in_thread(folder.sweep)
    brief = await parts.in_thread(folder.brief)
    if brief is None:
        brief = await make_brief()
    await parts.in_thread(lay_out, folder, brief)
    job = Job(
        brief=brief,
        folder=folder,
        tiles=Tiles(brief, await _feeds(brief, parts)),
        works=make_works(brief, folder, parts.watch.work.written),
        threads=parts.threads,
    )
    await parts.in_thread(job.prepare)
    return job


async def _feeds(brief: Brief, parts: Parts) -> tuple[Feed, ...]:
    """Open the volume of each input that is fed."""
    first = OtherInput(volume=brief.volume, source=brief.source, statistics=brief.statistics)
    given = {brief.card.inputs[0].name: first} | brief.others
    feeds: list[Feed] = []
    for spec in brief.card.inputs:
        if spec.name in given:
            one, is_first = given[spec.name], not feeds
            staged = await parts.volumes.open_trusted(one.volume, one.source)
            plan = brief.plan if is_first else input_plan(brief.plan, spec, one.source)
            reader = parts.volumes.reader(one.volume, staged)
            feeds.append(
                Feed(len(feeds), spec, one.volume, one.source, plan, reader, one.statistics)
            )
    return tuple(feeds)


def lay_out(folder: RunFolder, brief: Brief) -> None:
    """Write the files that a run begins with; those that are there already are the same."""
    folder.save_brief(brief)
    for output in brief.plan.outputs:
        OutputFile(output, folder.output(output.name)).create(brief.run, brief.source.name)


def make_works(brief: Brief, folder: RunFolder, wrote: Wrote) -> dict[str, OutputWork]:
    """Return what is done with each output; `wrote` hears of the bytes that are written."""
    specs = {spec.name: spec for spec in brief.card.outputs}
    works = {each.name: _array_work(brief, folder, each, wrote) for each in brief.plan.outputs}
    tables = {
        each.name: RowWork(
            brief.plan,
            specs[each.name],
            TableFile(each, folder.output(each.name)),
            run=brief.run,
            source=brief.source.name,
        )
        for each in brief.plan.tables
    }
    return works | tables


def _array_work(brief: Brief, folder: RunFolder, output: OutputArray, wrote: Wrote) -> OutputWork:
    """Return what is done with an array, by the way in which the model says it is stitched."""
    plan, name = brief.plan, output.name
    spec = next(spec for spec in brief.card.outputs if spec.name == name)
    file = OutputFile(output, folder.output(name), wrote)
    if spec.stitch.mode == "blend":
        return BlendWork(plan, spec, file, folder.work(name))
    if spec.stitch.mode == "merge-labels":
        context = plan.context or full_region(brief.source.shape)
        log = JoinLog(folder.work(name) / "joins.log")
        return LabelWork(plan, spec, context, file, folder.work(name), log)
    return CropWork(plan, spec, file)

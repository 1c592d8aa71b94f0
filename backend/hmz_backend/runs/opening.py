"""Opening a run's folder: from its brief to a job with everything at hand."""

from hmz_backend.runs.blending import BlendWork
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.cropping import CropWork
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.job import Job
from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.output_work import OutputWork
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.tiles import Tiles
from napari_hmz.schema import OutputArray, full_region


async def open_job(folder: RunFolder, parts: Parts) -> Job:
    """Return the job of the run in `folder`, new or interrupted."""
    await parts.in_thread(folder.sweep)
    brief = await parts.in_thread(folder.brief)
    staged = await parts.volumes.open_trusted(brief.volume, brief.source)
    job = Job(
        brief=brief,
        folder=folder,
        staged=staged,
        tiles=Tiles(brief, parts.volumes.reader(brief.volume, staged)),
        works={output.name: make_work(brief, folder, output) for output in brief.plan.outputs},
        threads=parts.threads,
    )
    await parts.in_thread(job.prepare)
    return job


def make_work(brief: Brief, folder: RunFolder, output: OutputArray) -> OutputWork:
    """Return what is done with an output, by the way in which the model says it is stitched."""
    plan, name = brief.plan, output.name
    spec = next(spec for spec in brief.card.outputs if spec.name == name)
    file = OutputFile(output, folder.output(name))
    if spec.stitch.mode == "blend":
        return BlendWork(plan, spec, file, folder.work(name))
    if spec.stitch.mode == "merge-labels":
        context = plan.context or full_region(brief.source.shape)
        return LabelWork(plan, spec, context, file, folder.work(name))
    return CropWork(plan, spec, file)

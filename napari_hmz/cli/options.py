"""The options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="For machines: one JSON document on standard output, progress on standard error.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        help="Address of the backend; else HMZ_URL, the settings file, or this machine's own."
        " Its token is read from HMZ_TOKEN or the settings file.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Name of the backend's profile in the settings file; local: this machine's own.",
        show_default=False,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="What this machine's own backend computes with: embedded or triton.",
        show_default=False,
    ),
]
Version = Annotated[
    str | None, typer.Option(help="Version of the model; else the newest.", show_default=False)
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter of the model; `hmz show MODEL` lists them. May be repeated.",
        show_default=False,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        metavar="z=0:10,y=5:80",
        help="Only this part of the image; axes that are not named are taken whole.",
        show_default=False,
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        metavar="0,2",
        help="Which channel of the image feeds each channel of the model.",
        show_default=False,
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this output of the model. May be repeated."),
]
JoinPlanes = Annotated[
    bool, typer.Option("--join-planes", help="Join what a 2-D model finds in neighbouring planes.")
]
Block = Annotated[
    str | None,
    typer.Option(metavar="z=32,y=256", help="Block to work on at a time.", show_default=False),
]
Halo = Annotated[
    str | None,
    typer.Option(metavar="z=8,y=32", help="Context around a block.", show_default=False),
]
Sensitive = Annotated[
    bool,
    typer.Option(
        "--sensitive",
        help="The image is sensitive: refuse backends and models that may not have it, and keep"
        " nothing of it there after the run.",
    ),
]
Urgent = Annotated[
    bool,
    typer.Option(
        "--urgent",
        help="Somebody waits for it: it goes before what does not hurry, within a cap that the"
        " backend's admin sets.",
    ),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream",
        help="Keep no more of the image on the backend than is worked on; another run sends it"
        " again. Chosen without being asked where the image does not fit.",
    ),
]
AnyVoxelSize = Annotated[
    bool,
    typer.Option(
        "--any-voxel-size", help="Run even though the voxel size is far from the model's."
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(
        metavar="zyx", help="The image's axes, where the file does not say.", show_default=False
    ),
]
Level = Annotated[int, typer.Option(help="Level of a multiscale image; 0 is the finest.")]
Channel = Annotated[
    str | None,
    typer.Option(help="Take only this channel of the image: index or name.", show_default=False),
]
Time = Annotated[
    int | None, typer.Option(help="Take only this time point of the image.", show_default=False)
]
VoxelSize = Annotated[
    str | None,
    typer.Option(
        metavar="z=1,y=0.3,x=0.3",
        help="The voxel size in micrometres, where the file is wrong or does not say.",
        show_default=False,
    ),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        "--beside",
        metavar="IMAGE",
        help="Another image, as the next channel: for a model that takes several channels, which"
        " lie in a file each. May be repeated.",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=IMAGE",
        help="An image for another input of the model; `hmz show MODEL` names them. May be"
        " repeated.",
        show_default=False,
    ),
]
WithImage = Annotated[bool, typer.Option(help="Write the image beside the result.")]

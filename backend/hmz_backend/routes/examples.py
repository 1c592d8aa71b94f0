"""Examples of bodies, as OpenAPI shows them."""

from fastapi.openapi.models import Example

VOLUME: dict[str, Example] = {
    "nuclei": {
        "summary": "A stack of 60 planes, uint16, zarr v3 with zstd",
        "value": {
            "name": "nuclei",
            "axes": ["z", "y", "x"],
            "shape": {"z": 60, "y": 256, "x": 256},
            "chunks": {"z": 32, "y": 128, "x": 128},
            "dtype": "uint16",
            "array": {
                "zarr_format": 3,
                "document": {
                    "zarr_format": 3,
                    "node_type": "array",
                    "shape": [60, 256, 256],
                    "data_type": "uint16",
                    "chunk_grid": {
                        "name": "regular",
                        "configuration": {"chunk_shape": [32, 128, 128]},
                    },
                    "chunk_key_encoding": {"name": "default"},
                    "fill_value": 0,
                    "codecs": [
                        {"name": "bytes", "configuration": {"endian": "little"}},
                        {"name": "zstd", "configuration": {"level": 3, "checksum": False}},
                    ],
                },
            },
            "voxel_size": {"z": 0.29, "y": 0.26, "x": 0.26},
            "units": {"z": "micrometer", "y": "micrometer", "x": "micrometer"},
            "fingerprint": "9f86d081884c7d659a2feaa0c55ad015",
            "statistics": {
                "method": "exact",
                "sampled_voxels": 3932160,
                "channels": [{"minimum": 0, "maximum": 52000, "mean": 4100.5, "std": 3900.1}],
            },
        },
    }
}
ABSENT: dict[str, Example] = {
    "two": {"summary": "Two chunks of background", "value": {"keys": ["c/0/0/0", "c/1/0/0"]}}
}
RUN: dict[str, Example] = {
    "whole": {
        "summary": "The whole volume, with the model's defaults",
        "value": {"model": "components", "volume": "0d9c4b1f2a7e4c55b8a6d3e1f0a91c27"},
    },
    "part": {
        "summary": "A part of it, with a parameter and a block of one's own",
        "value": {
            "model": "nuclei-2d",
            "volume": "0d9c4b1f2a7e4c55b8a6d3e1f0a91c27",
            "region": {"z": [10, 20], "y": [0, 128]},
            "parameters": {"diameter": 24},
            "block": {"y": 128, "x": 128},
            "join_planes": True,
        },
    },
}
FOCUS: dict[str, Example] = {
    "view": {
        "summary": "The planes and the window on the screen",
        "value": {"region": {"z": [14, 15], "y": [0, 128], "x": [64, 192]}},
    }
}
TOKEN: dict[str, Example] = {
    "nightly": {
        "summary": "A token for a script that runs at night, for a month",
        "value": {"name": "nightly", "scopes": ["read", "run"], "days": 30},
    }
}
SHARE: dict[str, Example] = {
    "group": {
        "summary": "With a group, to see it",
        "value": {"group": "urn:geant:helmholtz.de:group:Imaging#login.helmholtz.de"},
    },
    "person": {
        "summary": "With somebody who signs in at the same place, to go on with it",
        "value": {"subject": "6f1b2c", "allows": "continue"},
    },
}

"""The backend as a service that JupyterHub runs: a part of `jupyterhub_config.py`.

People reach it at `https://HUB/services/hmz`, with a token that they make at `https://HUB/hub/token`:

    hmz run --url https://HUB/services/hmz ...    # HMZ_TOKEN holds the token

`backend.toml` holds what the backend itself must know:

    url_prefix = "/services/hmz"

    [jupyterhub]
    url = "http://127.0.0.1:8081/hub/api"
    scope = "access:services!service=hmz"
"""

c = get_config()  # noqa: F821 # JupyterHub gives it

PORT = 8650

c.JupyterHub.services = [
    {
        "name": "hmz",
        "url": f"http://127.0.0.1:{PORT}",
        "command": [
            "/opt/napari-hmz/bin/hmz-backend",
            "serve",
            "--config",
            "/etc/hmz/backend.toml",
            "--port",
            str(PORT),
        ],
        "display": False,  # it has no pages
    }
]
c.JupyterHub.load_roles = [
    # Whoever may use the hub may use the backend; name `groups` in place of the role `user` to
    # let in some only.
    {"name": "user", "scopes": ["self", "access:services!service=hmz"]},
]

"""A JupyterHub of the tests: the shipped parts of a configuration, in places of a test."""

import json
import os
from pathlib import Path

given = json.loads(os.environ["HUB_OF_THE_TESTS"])
c = get_config()  # type: ignore[name-defined] # noqa: F821 # JupyterHub gives it
exec(compile(Path(given["service"]).read_text(), given["service"], "exec"))  # noqa: S102 # ours

service = c.JupyterHub.services[0]
service["url"] = given["service_url"]
service["command"] = given["service_command"]
service["environment"] = given["environment"]
c.JupyterHub.services.append({"name": "tests", "api_token": given["token"]})
c.JupyterHub.load_roles.append(
    {"name": "tests", "scopes": ["admin:users", "admin:servers", "tokens"], "services": ["tests"]}
)

c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_bind_url = given["hub_url"]
c.ConfigurableHTTPProxy.api_url = given["proxy_url"]
c.ConfigurableHTTPProxy.command = given["proxy_command"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {"alice", "bob"}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{given['folder']}/home/{{username}}"
c.Spawner.cmd = [given["single_user"]]
c.Spawner.environment = given["environment"]
c.Spawner.http_timeout = 120
c.JupyterHub.db_url = f"sqlite:///{given['folder']}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{given['folder']}/cookie"
c.ConfigurableHTTPProxy.pid_file = f"{given['folder']}/proxy.pid"

"""Flower's settings; every value comes from the same DIGITLINE_* variables as the rest of the line."""

from core.settings import get_settings
from digitline import flower_columns

_settings = get_settings()

address = _settings.flower_address
port = _settings.flower_port
if _settings.flower_url_prefix is not None:
    url_prefix = _settings.flower_url_prefix
if _settings.flower_auth is not None:
    basic_auth = [_settings.flower_auth.get_secret_value()]

# What happened outlives a restart of Flower.
persistent = True
_settings.home_folder.mkdir(parents=True, exist_ok=True)
db = str(_settings.home_folder / "flower")
state_save_interval = 15_000
# Saved at each turn, which takes a third of a second with as many as these, and the page waits for it.
max_tasks = 10_000

# A container has a new name at every start; the old names leave the page an hour later.
purge_offline_workers = 3600
natural_time = True
auto_refresh = True
tasks_columns = flower_columns.SHOWN
format_task = flower_columns.format_task

# Without a password everybody on this machine may look, and nobody may stop a worker.
read_only = _settings.flower_auth is None

"""What an administrator sees of everything, and which parts of it an identity must leave as they are."""

import json

LISTS = [
    "/v1/workspaces",
    "/v1/mcp-integrations",
    "/v1/mcp-servers",
    "/v1/registrations",
    "/v1/orphans",
    "/v1/api-keys",
    "/v1/users",
    "/v1/mcp-integrations/shared/workspaces",
    "/v1/mcp-integrations/shared-other/workspaces",
    "/v1/organisation/configuration",
    "/v1/organisation/configuration/revisions",
]
# What reading changes, and what counts things of other workspaces.
# `metadata` is what gateways report.
PASSING = {"last_used_at", "last_address", "last_fetched_at", "version_seen", "metadata"}
COUNTS = {"workspaces_count", "servers_count", "registered_count", "attention_count", "total"}


def seen(admin, foreign):
    """Path → what is there; `foreign` are ids of servers and integrations that are looked at one by one."""
    state = {}
    for path in LISTS:
        document = plain(admin.look(path + "?page_size=1000"))
        items = document.get("data") or document.get("workspaces")
        if isinstance(items, list):
            for item in items:
                state[path, item.get("id") or item.get("slug") or item.get("number")] = item
        else:
            state[path, ""] = document
    for kind, names in foreign.items():
        for name in names:
            for rest in ("", "/revisions"):
                path = f"/v1/{kind}/{name}{rest}"
                state[path, ""] = plain(admin.look(path))
    return state


def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name not in PASSING | COUNTS}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def untouchable(state, identity, own):
    """The part that an identity must not change; `own` is the id of the workspace it may be bound to."""
    if identity.silent:
        return {key: one for key, one in state.items() if not (identity.role == "gateway" and is_registration(key[0]))}
    return {key: one for key, one in state.items() if own not in json.dumps(one)}


def is_registration(path):
    # What gateways ask for and report is what registrations are for.
    return path in ("/v1/registrations", "/v1/orphans", "/v1/mcp-servers")


def changed(before, after):
    """Which things differ, in words."""
    for path, name in sorted(before.keys() | after.keys(), key=str):
        old, new = before.get((path, name)), after.get((path, name))
        if old is None or new is None:
            yield f"{path} {name} is {'new' if old is None else 'gone'}"
        elif old != new:
            parts = [part for part in sorted(old.keys() | new.keys()) if old.get(part) != new.get(part)]
            words = [f"{part}: {json.dumps(old.get(part))[:200]} → {json.dumps(new.get(part))[:200]}" for part in parts]
            yield f"{path} {name}: {'; '.join(words)}"

"""Addresses of remotes, as they may be shown."""

from __future__ import annotations

import re


def without_secrets(address: str) -> str:
    """An address without password, token or query; the user of an ssh address stays."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    if scheme.startswith("http"):
        rest = re.split("[?#]", rest)[0]
    host, slash, path = rest.partition("/")
    user, at, host = host.rpartition("@")
    user = user.partition(":")[0] if "ssh" in scheme else ""
    return f"{scheme}://{user}{at if user else ''}{host}{slash}{path}"


def clean(text: str, address: str) -> str:
    """What a program said of an address, without the address's secrets, whatever part of it the program repeats."""
    secrets = [re.split("[?#]", address, maxsplit=1)[-1]] if re.search("[?#]", address) else []
    secrets += [userinfo] if (userinfo := address.partition("://")[2].partition("/")[0].rpartition("@")[0]) else []
    text = text.replace(address, without_secrets(address))
    for secret in secrets:
        text = text.replace(secret, "...")
    return text

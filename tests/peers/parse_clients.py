"""Reads a JSON list of gateway documents' `client` members from a file and prints, for each, what the Python SDK's parser
says of it: null, or the errors it found."""

import json
import sys

from mcp.shared.auth import OAuthClientInformationFull
from pydantic import ValidationError


def said(client):
    try:
        OAuthClientInformationFull.model_validate(client)
        return None
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())


with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps([said(client) for client in json.load(file)]))

"""Gives each line of a file to the client parser of the MCP Python SDK; prints the refused ones as JSON."""

import json
import sys

from mcp.shared.auth import OAuthClientInformationFull

refused = []
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        try:
            OAuthClientInformationFull.model_validate_json(line)
        except ValueError as error:
            refused.append([line.strip(), str(error)])
print(json.dumps(refused))

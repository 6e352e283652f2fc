"""LiteLLM's proxy, the real one from PyPI; `lib/litellm_proxy.py` says what stands in for its database.

Says `ready {"url", "token"}`: the master key. With MCP_SERVERS, a JSON text of its configuration file, it serves these without a
database.
"""

import json
import os
import tempfile
from pathlib import Path

from lib.other_gateway import free_port, python_of, run, settings

KEY = "sk-of-the-tests-alone-6f1b2c3d4e5f60718293a4b5c6d7e8f9"


def main():
    servers, port = os.environ.get("MCP_SERVERS"), free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        config = {"general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"}, **json.loads(servers or "{}")}
        # JSON is YAML.
        Path(f"{folder}/config.yaml").write_text(json.dumps(config))
        environment = settings({
            **{name: value for name, value in os.environ.items() if name.startswith("MCP_ACME_")},
            "CONFIG_FILE_PATH": f"{folder}/config.yaml",
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PROXY_BASE_URL": url,
        })
        serve = [python_of("litellm"), str(Path(__file__).parent / "lib" / "litellm_proxy.py"), str(port)]
        if servers is None:
            serve.append("admin")
        run(serve, environment, f"{url}/health/liveliness", {"url": url, "token": KEY})


main()

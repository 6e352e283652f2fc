"""ContextForge, the real one from PyPI, on an SQLite file of its own.

Says `ready {"url", "token"}`: the token of an admin for its API.
"""

import subprocess
import tempfile

from lib.other_gateway import free_port, python_of, run, settings

ADMIN = "admin@example.com"


def main():
    python, port = python_of("contextforge"), free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        environment = settings({
            "DATABASE_URL": f"sqlite:///{folder}/gateway.db",
            "JWT_SECRET_KEY": "a-secret-of-the-tests-alone-0123456789abcdef",
            "AUTH_ENCRYPTION_SECRET": "another-secret-of-the-tests-fedcba9876543210",
            "PLATFORM_ADMIN_EMAIL": ADMIN,
            "PLATFORM_ADMIN_PASSWORD": "Str0ng!Passw0rd#42",
            "APP_DOMAIN": url,
            "SSRF_ALLOW_LOCALHOST": "true",
            "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
            "SSRF_DNS_FAIL_CLOSED": "false",
            "MCPGATEWAY_UI_ENABLED": "false",
            "MCPGATEWAY_ADMIN_API_ENABLED": "false",
            "PLUGINS_ENABLED": "false",
            "CACHE_TYPE": "memory",
            "LOG_LEVEL": "WARNING",
        })
        token = [python, "-m", "mcpgateway.utils.create_jwt_token", "--username", ADMIN, "--exp", "60", "--admin"]
        token += ["--secret", environment["JWT_SECRET_KEY"]]
        made = subprocess.run(token, env=environment, cwd=folder, check=True, capture_output=True, text=True)
        serve = [python, "-m", "uvicorn", "mcpgateway.main:app", "--host", "127.0.0.1", "--port", str(port)]
        run(serve, environment, f"{url}/health", {"url": url, "token": made.stdout.strip().splitlines()[-1]})


main()

"""A client that a generator makes of our OpenAPI document: it compiles, and makes real calls.

    python generated_clients.py GENERATOR DOCUMENT BASE_URL API_KEY

GENERATOR is one of openapi-typescript, hey-api, typescript-axios, openapi-python-client, python, go. DOCUMENT is the file of the
OpenAPI document, BASE_URL has no path, API_KEY is an organisation admin's. Leaves nothing behind. Exits 0 when the client
compiled and every check held. What each client does is in `generated/`: it creates an integration with an Advanced
Configuration, reads and lists it, reads a refusal as a typed problem, and deletes it.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "node_modules"
NODE = os.environ.get("MCP_REGISTRY_TEST_NODE", "node")
CALLS = HERE / "generated"


def run(*command, folder):
    """Runs a command; what it printed is shown when it fails."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def openapi_generator(generator, document, folder, output, *more):
    """Runs the generator that is written in Java."""
    java = shutil.which("java")
    if java is None:
        sys.exit("Missing: java, which openapi-generator needs. Install it (on Debian: apt-get install default-jre-headless).")
    package = importlib.util.find_spec("openapi_generator_cli")
    jar = Path(package.origin).parent / "openapi-generator.jar"
    run(java, "-jar", jar, "generate", "-i", document, "-g", generator, "-o", output, *more, folder=folder)


def typescript(calls, folder, arguments):
    """Compiles the generated files with the calls, strictly, and runs them."""
    (folder / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(CALLS / calls, folder / "calls.ts")
    shutil.copy(CALLS / "tsconfig.json", folder / "tsconfig.json")
    run(NODE, NODE_MODULES / "typescript" / "bin" / "tsc", "--project", "tsconfig.json", folder=folder)
    print(run(NODE, "out/calls.js", *arguments, folder=folder))


def with_openapi_typescript(document, folder, arguments):
    run(NODE, NODE_MODULES / "openapi-typescript" / "bin" / "cli.js", document, "-o", "api.ts", folder=folder)
    typescript("openapi_typescript.ts", folder, arguments)


def with_hey_api(document, folder, arguments):
    run(NODE, NODE_MODULES / "@hey-api" / "openapi-ts" / "bin" / "run.js", "-i", document, "-o", "client", folder=folder)
    typescript("hey_api.ts", folder, arguments)


def with_typescript_axios(document, folder, arguments):
    openapi_generator("typescript-axios", document, folder, "client", "--skip-validate-spec")
    typescript("typescript_axios.ts", folder, arguments)


def with_openapi_python_client(document, folder, arguments):
    run("openapi-python-client", "generate", "--path", document, "--output-path", "registry_client", "--meta", "none", "--fail-on-warning", folder=folder)
    shutil.copy(CALLS / "openapi_python_client.py", folder / "calls.py")
    run(sys.executable, "-m", "mypy", "--config-file", CALLS / "mypy.ini", "registry_client", "calls.py", folder=folder)
    print(run(sys.executable, "calls.py", *arguments, folder=folder))


def with_python(document, folder, arguments):
    openapi_generator(
        "python", document, folder, "made", "--package-name", "registry_api",
        # It cannot read a list whose entries are texts or objects: they stay as they are.
        "--schema-mappings", "HeaderToForward=object",
        "--skip-validate-spec", "--global-property", "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false,apis,models,supportingFiles",
    )
    shutil.copy(CALLS / "openapi_generator.py", folder / "made" / "calls.py")
    print(run(sys.executable, "calls.py", *arguments, folder=folder / "made"))


GO_MODULE = """module calls

go 1.19

require gopkg.in/validator.v2 v2.0.1

replace gopkg.in/validator.v2 => ./validator
"""
# The only package of others in what is generated. It compares values with the patterns of the document, as the registry does.
GO_VALIDATOR = """package validator

func Validate(interface{}) error { return nil }
"""


def with_go(document, folder, arguments):
    go = shutil.which("go")
    if go is None:
        sys.exit("Missing: go. Install it (on Debian: apt-get install golang-go).")
    openapi_generator(
        "go", document, folder, "registryapi", "--package-name", "registryapi", "--skip-validate-spec",
        "--additional-properties", "enumClassPrefix=true,withGoMod=false,disallowAdditionalPropertiesIfNotPresent=false",
        # A link has two spellings, which are one name in Go.
        "--name-mappings", "inviteLink=invite_link_in_camel_case",
        "--global-property", "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false,apis,models,supportingFiles",
    )
    (folder / "validator").mkdir()
    for file, text in {"go.mod": GO_MODULE, "validator/go.mod": "module gopkg.in/validator.v2\n", "validator/validator.go": GO_VALIDATOR}.items():
        (folder / file).write_text(text)
    shutil.copy(CALLS / "openapi_generator.go", folder / "main.go")
    # Nothing is downloaded: no module, no other version of Go.
    os.environ.update({"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOCACHE": str(folder / "cache")})
    run(go, "build", "-o", "calls", ".", folder=folder)
    run(go, "vet", ".", folder=folder)
    print(run(folder / "calls", *arguments, folder=folder))


GENERATORS = {
    "openapi-typescript": with_openapi_typescript,
    "hey-api": with_hey_api,
    "typescript-axios": with_typescript_axios,
    "openapi-python-client": with_openapi_python_client,
    "python": with_python,
    "go": with_go,
}


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in GENERATORS:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        GENERATORS[sys.argv[1]](Path(sys.argv[2]).resolve(), Path(temporary), sys.argv[3:])

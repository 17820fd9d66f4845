"""A package index for pip and a registry for npm on loopback, with packages made here: sources.py FOLDER.

Says the port on its first line. `demo`, `dep` and `user` are well (`user` needs an old `dep`), `torn` 1.1 is cut off, and
`clash` 1.1 cannot be installed over what lies there.
"""
import base64, hashlib, http.server, io, json, os, sys, tarfile, zipfile

root = sys.argv[1]


def put(path, data):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def wheel(name, version, requires=(), torn=False, more=()):
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **{path: "x\n" for path in more},
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    data = data.getvalue()
    put(f"simple/{name}/{name}-{version}-py3-none-any.whl", data[: len(data) // 2] if torn else data)


def index():
    for name in os.listdir(os.path.join(root, "simple")):
        files = sorted(f for f in os.listdir(os.path.join(root, "simple", name)) if f.endswith(".whl"))
        links = "".join(f'<a href="{file}">{file}</a>' for file in files)
        put(f"simple/{name}/index.html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())


def package(base, name, versions, torn=()):
    about = {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": {}}
    for version, needs in versions.items():
        manifest = {"name": name, "version": version, "dependencies": needs}
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            text = json.dumps(manifest).encode()
            entry = tarfile.TarInfo("package/package.json")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        data = data.getvalue()
        file = f"tar/{name.replace('/', '-')}-{version}.tgz"
        put(file, data[:-20] if version in torn else data)
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        about["versions"][version] = {**manifest, "dist": {"tarball": f"{base}/{file}", "integrity": integrity}}
    put(name, json.dumps(about).encode())


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory=root)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
base = f"http://127.0.0.1:{server.server_port}"
for version in ["1.9", "1.10", "2.0"]:
    wheel("demo", version)
for version in ["1.0", "2.0"]:
    wheel("dep", version)
wheel("user", "1.0", ["dep<2"])
wheel("torn", "1.0")
wheel("torn", "1.1", torn=True)
wheel("clash", "1.0")
wheel("clash", "1.1", more=["demo.py/x.py"])
index()
package(base, "direct", {"1.9.0": {"deep": "^1.0.0"}, "1.10.0": {"deep": "^1.0.0"}})
package(base, "deep", {"1.0.0": {}, "1.2.0": {}, "2.0.0": {}})
package(base, "tool", {"1.0.0": {"deep": "1.0.0"}})
package(base, "@scope/x", {"1.0.0": {}, "1.0.1": {}})
package(base, "broken", {"1.0.0": {}, "1.0.1": {}, "1.0.2": {}}, torn=["1.0.1"])
print(server.server_port, flush=True)
server.serve_forever()

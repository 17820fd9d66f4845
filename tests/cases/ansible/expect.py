"""Asks ansible-core what the inventories of the cases say; see README.md."""

import json
import os
import pathlib
import subprocess
import sys

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

here = pathlib.Path(__file__).resolve().parent
for name in sys.argv[1:] or sorted(path.name for path in here.iterdir() if path.is_dir()):
    case = here / name
    sources = sorted(path.name for path in case.iterdir() if path.name.startswith("hosts"))
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-inventory"), "--list"]
    for source in sources:
        command += ["-i", source]
    env = dict(os.environ, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1")
    ran = subprocess.run(command, cwd=case, env=env, capture_output=True, text=True)
    answer = json.loads(ran.stdout) if ran.returncode == 0 else "refused"
    text = json.dumps(answer, indent=1, sort_keys=True, ensure_ascii=False)
    (case / "expected.json").write_text(text + "\n", encoding="utf-8")
    table = case / "patterns.tsv"
    if not table.exists():
        continue
    inventory = InventoryManager(DataLoader(), sources=[str(case / source) for source in sources])
    lines = []
    for line in table.read_text(encoding="utf-8").splitlines():
        pattern = line.split("\t")[0]
        try:
            hosts = ",".join(host.name for host in inventory.get_hosts(pattern) if not host.implicit)
        except Exception:
            hosts = "refused"
        lines.append(f"{pattern}\t{hosts}\n")
    table.write_text("".join(lines), encoding="utf-8")

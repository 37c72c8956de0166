"""Organisations that run Schakel on this machine: for the demo, the benchmarks and the interoperability runs.

A Deployment has a folder, a test PKI with its CRLs served over HTTP, and organisations. An Organisation is one node: configuration, tenant, certificates, process.
Everything goes through the program's own command line and API, as an operator would do it. Nothing outlives the process that made it.
"""
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("SCHAKEL_PROGRAM", ROOT / "build/release/schakel"))


class Failure(Exception):
    """What was to be shown did not happen."""


def die_with_parent():
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(what, condition, seconds=30.0, pause=0.02):
    """Waits for a condition; a Failure that names it when it does not come."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def run(*arguments, check=True, key_file=None, url=None, text=True):
    """Runs `schakel ARGUMENTS` and gives its CompletedProcess."""
    environment = dict(os.environ)
    if url:
        environment["SCHAKEL_URL"] = url
    extra = ["--api-key-file", str(key_file)] if key_file else []
    done = subprocess.run([str(PROGRAM), *map(str, arguments), *extra], capture_output=True, text=text, env=environment, timeout=120, check=False)
    if check and done.returncode != 0:
        raise Failure(f"schakel {' '.join(map(str, arguments[:3]))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


class Deployment:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pki = self.folder / "pki"
        self.processes = []
        self.organisations = []
        (self.pki_port,) = free_ports(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for organisation in self.organisations:
            organisation.kill()
        for process in self.processes:
            process.kill()
            process.wait()

    def make_pki(self):
        run("pki", "init", "--dir", self.pki, "--generation", "g4", "--fast", "--base-url", f"http://127.0.0.1:{self.pki_port}")
        log = (self.folder / "pki.log").open("ab")
        server = subprocess.Popen([str(PROGRAM), "pki", "serve", "--dir", str(self.pki), "--listen", f"127.0.0.1:{self.pki_port}"], stdout=log, stderr=log, preexec_fn=die_with_parent)
        self.processes.append(server)

        def serves():
            if server.poll() is not None:
                raise Failure(f"the test PKI does not serve its CRLs: {(self.folder / 'pki.log').read_text()}")
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", self.pki_port, timeout=2)
                connection.request("GET", "/crl/g4-tls-tsp.crl")
                return connection.getresponse().status == 200
            return False

        wait_until("the test PKI serves its CRLs", serves)

    def certificate(self, name, oin, hosts, profile="tls", kvk="12345678", rsa_bits=0):
        """Issues a certificate, for a key of `rsa_bits` when that is given; gives (chain file, key file)."""
        own = self.pki / "ee"
        subject = ["--dir", self.pki, "--profile", profile, "--oin", oin, "--org", name, "--kvk", kvk, "--dns", ",".join(hosts)]
        if rsa_bits:
            own.mkdir(mode=0o700, exist_ok=True)
            key, request = own / f"{profile}-{oin}-{rsa_bits}.key", self.folder / "request.pem"
            subprocess.run(["openssl", "req", "-new", "-newkey", f"rsa:{rsa_bits}", "-nodes", "-subj", "/CN=request", "-keyout", key, "-out", request], check=True, capture_output=True)
            os.chmod(key, 0o600)
            issued = json.loads(run("pki", "issue", *subject, "--csr", request, "--json").stdout)
            return pathlib.Path(issued["chain"]), key
        before = set(own.glob("*.key")) if own.exists() else set()
        run("pki", "issue", *subject)
        (key,) = set(own.glob("*.key")) - before
        return key.with_suffix(".chain.pem"), key

    def organisation(self, **options):
        organisation = Organisation(self, **options)
        self.organisations.append(organisation)
        return organisation


class Organisation:
    """One node. `host` is the name in its certificate and in CPAs; `slug` its tenant. `rsa_bits`: of its key, when it must be other than what the test PKI makes."""

    def __init__(self, deployment, slug, name, oin, host, database=None, ports=None, settings="", rsa_bits=0):
        self.deployment, self.slug, self.name, self.oin, self.host = deployment, slug, name, oin, host
        self.folder = deployment.folder / slug
        self.folder.mkdir(parents=True, exist_ok=True)
        self.external, self.internal, self.admin, self.ops = ports or free_ports(4)
        self.database = database or f"sqlite:{self.folder / 'schakel.db'}"
        self.settings = settings
        self.rsa_bits = rsa_bits
        self.config = self.folder / "schakel.toml"
        self.key_file = self.folder / "api-key"
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.admin}"

    @property
    def endpoint(self):
        return f"https://{self.host}/ebms"

    def set_up(self):
        """Certificate, configuration, tenant and first API key."""
        self.chain, self.key = self.deployment.certificate(self.name, self.oin, [self.host, "localhost"], rsa_bits=self.rsa_bits)
        pki = self.deployment.pki
        self.config.write_text(
            f"""[node]
name = "{self.slug}"
environment = "test"
drain-wait = "0s"
[database]
url = "{self.database}"
[pki]
test-anchors = "{pki / 'anchors.pem'}"
intermediates = "{pki / 'intermediates.pem'}"
keys = "{pki / 'ee'}"
[listeners.external]
bind = "127.0.0.1:{self.external}"
[listeners.internal]
bind = "127.0.0.1:{self.internal}"
[listeners.admin]
bind = "127.0.0.1:{self.admin}"
[listeners.ops]
bind = "127.0.0.1:{self.ops}"
{self.settings}
""",
            encoding="utf-8",
        )
        run("config", "check", "--config", self.config)
        run("tenant", "create", "--config", self.config, "--slug", self.slug, "--name", self.name, "--environment", "test", "--oin", self.oin, "--host", self.host, "--host", "localhost",
            "--certificate", self.chain, "--key", self.key, "--purpose", "tls-server,tls-client,signing,encryption", "--first-key-file", self.key_file)

    def start(self, wrap=()):
        log = (self.folder / "node.log").open("ab")
        self.process = subprocess.Popen([*wrap, str(PROGRAM), "serve", "--config", str(self.config)], stdout=log, stderr=log, preexec_fn=die_with_parent)
        wait_until(f"{self.name} is ready", self.ready)

    def ready(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/health/ready", port=self.ops)[0] == 200
        return False

    def log(self):
        log = self.folder / "node.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def tail(self, lines=15):
        return "\n".join(self.log().splitlines()[-lines:])

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def terminate(self):
        self.process.terminate()
        return self.process.wait(timeout=60)

    # --- the API ---------------------------------------------------------------------------------------------------------------------

    def request(self, method, path, body=None, content_type="application/json", headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.admin, timeout=60)
        send = {"X-Api-Key": self.key_file.read_text().strip()} if self.key_file.exists() else {}
        if body is not None:
            send["Content-Type"] = content_type
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body)
        try:
            connection.request(method, path, body=body, headers={**send, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def get(self, path, port=None):
        status, body, _ = self.request("GET", path, port=port)
        return status, body

    def json(self, method, path, body=None, expect=(200, 201, 202, 204), **options):
        status, answer, _ = self.request(method, path, body, **options)
        if status not in expect:
            raise Failure(f"{self.name}: {method} {path} answered {status}: {answer.decode(errors='replace')[:2000]}")
        return json.loads(answer) if answer else {}

    def cli(self, *arguments, **options):
        return run(*arguments, key_file=self.key_file, url=self.url, **options)

    # --- contracts --------------------------------------------------------------------------------------------------------------------

    def party(self):
        """This organisation as `contract compose` wants it (cpa.md 2.7a)."""
        certificate = self.chain.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        return {
            "oin": self.oin, "environment": "T", "name": self.name, "partyName": self.name, "partyId": self.oin, "partyIdType": "urn:osb:oin", "endpointUrl": self.endpoint,
            "connectionType": "direct", "tlsOffloaded": False, "profiles": ["osb-be", "osb-rm", "osb-be-s", "osb-rm-s", "osb-be-e", "osb-rm-e"], "syncReply": True, "messageOrder": False,
            "certificates": {purpose: certificate for purpose in ("tlsClient", "tlsServer", "signing", "encryption")}, "contact": {"name": "Beheer", "email": f"ebms@{self.host}"},
        }

    def load(self, document):
        """Imports and activates a CPA."""
        contract = self.json("POST", "/api/v1/contracts", document, content_type="application/xml")
        _, _, headers = self.request("GET", f"/api/v1/contracts/{contract['id']}")
        self.json("POST", f"/api/v1/contracts/{contract['id']}/_activate", headers={"If-Match": headers["ETag"]})
        return contract["id"]

    def reach(self, other):
        """The CPA names port 443; on this machine the other listens elsewhere: a URL mapping."""
        self.json("POST", "/api/v1/url-mappings", {"source": other.endpoint, "destination": f"https://localhost:{other.external}/ebms"})

    # --- messages -----------------------------------------------------------------------------------------------------------------------

    def messages(self, **filters):
        query = "&".join(f"{key}={value}" for key, value in filters.items())
        return self.json("GET", f"/api/v1/messages?perPage=100&{query}")

    def message(self, own_id):
        return self.json("GET", f"/api/v1/messages/{own_id}")

    def trail(self, own_id):
        return self.json("GET", f"/api/v1/messages/{own_id}/events")


def specification(name, profile, provider_oin, sync=False, retries=20, interval="PT3S", persist="PT1H"):
    """A service specification (cpa.md 2.6): one action each way."""
    service = f"Voorbeeld:{name}:1:0"
    out = {
        "identifyingName": f"Voorbeeld.{name}.1.0", "version": 1, "providerOin": provider_oin, "profile": profile, "environment": "T", "title": name,
        "process": {"name": name, "version": "1.0", "uri": f"https://www.voorbeeld.example/{name.lower()}"},
        "roles": [{"name": "Melder", "side": "consumer"}, {"name": "Register", "side": "provider"}],
        "services": [{"name": service, "messages": [{"action": "meldWijziging", "from": "Melder", "to": "Register", "mimeType": "application/xml"},
                                                    {"action": "meldResultaat", "from": "Register", "to": "Melder", "mimeType": "application/xml"}]}],
    }
    if profile.startswith("osb-rm"):
        out["reliability"] = {"retries": retries, "retryInterval": interval, "persistDuration": persist, "syncReplyMode": "mshSignalsOnly" if sync else "none"}
    return out


def compose(deployment, name, profile, consumer, provider, **options):
    """A CPA between two organisations, made by `schakel contract compose`."""
    folder = deployment.folder / "cpa"
    folder.mkdir(exist_ok=True)
    described = folder / f"{name}.specification.json"
    described.write_text(json.dumps(specification(name, profile, provider.oin, **options), indent=1), encoding="utf-8")
    for organisation in (consumer, provider):
        (folder / f"{organisation.slug}.json").write_text(json.dumps(organisation.party(), indent=1), encoding="utf-8")
    out = folder / f"{name}.xml"
    run("contract", "compose", "--specification", described, "--party", f"Melder={folder / consumer.slug}.json", "--party", f"Register={folder / provider.slug}.json", "--anchors",
        deployment.pki / "anchors.pem", "--intermediates", deployment.pki / "intermediates.pem", "--out", out)
    return out.read_bytes()

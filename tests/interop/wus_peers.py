"""The WUS partners as processes: a service with every terms at a path of its own, and a client that is asked over its standard input. Both programs of a partner take the same options and answer the same
JSON (cxf/…/Client.java), so one class drives them all.
"""
import dataclasses
import json
import pathlib
import subprocess
import sys

from deployment import Failure, Organisation, die_with_parent, free_ports, wait_until
from peers import CACHE, Unavailable, need, pem_blocks

HERE = pathlib.Path(__file__).resolve().parent
# What a partner does wrong on purpose (cxf/…/Terms.java, zeep/security.py).
DEVIATIONS = ("old-timestamp", "unsigned-header", "sha1", "tampered", "no-confirmation")


@dataclasses.dataclass(frozen=True)
class Terms:
    """A column of the matrix. `profile`: be, s or se."""
    profile: str
    mtom: bool = False

    @property
    def label(self):
        return f"2W-be{'' if self.profile == 'be' else '-' + self.profile.upper()}{' MTOM' if self.mtom else ''}"

    @property
    def signed(self):
        return self.profile != "be"

    @property
    def encrypted(self):
        return self.profile == "se"

    def path(self, deviation=""):
        return f"/{self.profile}{'-mtom' if self.mtom else ''}{'-' + deviation if deviation else ''}"


class Partner(Organisation):
    """`columns`: the terms that it can do."""

    title, columns, wants = "", (), "everything"

    def __init__(self, deployment, **options):
        super().__init__(deployment, ports=(*free_ports(1), 0, 0, 0), **options)
        self.asked = 0
        self.client = None
        deployment.organisations.append(self)

    def program(self, role):
        raise NotImplementedError

    def set_up(self):
        self.chain, self.key = self.deployment.certificate(self.name, self.oin, [self.host, "localhost"], rsa_bits=self.rsa_bits)
        self.trust = self.folder / "trust.pem"
        self.trust.write_text((self.deployment.pki / "anchors.pem").read_text() + (self.deployment.pki / "intermediates.pem").read_text())

    @property
    def certificate(self):
        return pem_blocks(self.chain.read_text())[0]

    def url(self, terms, deviation=""):
        return f"https://localhost:{self.external}{terms.path(deviation)}"

    def run(self, role, *options, wrap=(), **streams):
        log = (self.folder / f"{role}.log").open("ab")
        identity = ("--key", self.key, "--chain", self.chain, "--trust", self.trust)
        return subprocess.Popen([str(one) for one in (*wrap, *self.program(role), *identity, *options)], stderr=log, text=True, cwd=self.folder, preexec_fn=die_with_parent, **({"stdout": log} | streams))

    def start(self, wrap=()):
        self.process = self.run("service", "--port", self.external, wrap=wrap)
        wait_until(f"{self.name} is ready", self.ready, 180, 0.1)

    def ready(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.tail(40)}")
        return "ready" in (self.folder / "service.log").read_text(errors="replace").splitlines()

    def tail(self, lines=15):
        return "\n".join((self.folder / "service.log").read_text(errors="replace").splitlines()[-lines:])

    def meet(self, partner_certificate):
        """Starts the client. @param partner_certificate PEM file that its requests are encrypted for."""
        self.client = self.run("client", *self.encrypting_for(partner_certificate), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def encrypting_for(self, _certificate):
        return ()

    def call(self, url, xml, **options):
        """One call of its client. @param options those of its command line, None ones left out. @return the JSON that it printed."""
        self.asked += 1
        payload = self.folder / f"payload-{self.asked}.xml"
        payload.write_text(xml, encoding="utf-8")
        given = {"url": url, "payload": payload} | {key.replace("_", "-"): value for key, value in options.items() if value is not None}
        try:
            self.client.stdin.write(" ".join(f"--{key} {value}" for key, value in given.items()) + "\n")
            self.client.stdin.flush()
            line = self.client.stdout.readline()
        except OSError as gone:
            raise Failure(f"the client of {self.name} is gone: {gone}") from gone
        if not line:
            raise Failure(f"the client of {self.name} ended:\n" + "\n".join((self.folder / "client.log").read_text(errors="replace").splitlines()[-15:]))
        return json.loads(line)

    def kill(self):
        for one in (self.process, self.client):
            if one and one.poll() is None:
                one.kill()
                one.wait()


class Cxf(Partner):
    title = "Apache CXF 4.0.5 with WSS4J 3 (Java): all profiles, MTOM; from the package registry by name with cxf/pom.xml"
    columns = tuple(Terms(profile, mtom) for profile in ("be", "s", "se") for mtom in (False, True))
    # Set to one signature method, WSS4J takes no other from its partner.
    wants = "rsa-sha256"
    java = ("java", "-Xmx512m", "-XX:TieredStopAtLevel=1")
    home = CACHE / "cxf"

    @classmethod
    def obtain(cls, _options):
        need("java", "mvn")
        cls.home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mvn", "-B", "-q", "-f", HERE / "cxf/pom.xml", "compile"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable("`mvn compile` with tests/interop/cxf/pom.xml failed:\n" + "\n".join([line for line in done.stdout.splitlines() if "ERROR" in line][:5]))

    def program(self, role):
        # WSS4J keeps its memory of replays in files.
        return (*self.java, f"-Djava.io.tmpdir={self.folder}", "-cp", f"{self.home}/classes:{self.home}/lib/*", "schakel.interop.cxf.Peer", role)

    def encrypting_for(self, certificate):
        return "--partner", certificate


class Zeep(Partner):
    title = "zeep 4.3 with its WS-Addressing, lxml and xmlsec (Python): 2W-be and 2W-be-S; from the package registry by name with zeep/requirements.txt"
    columns = (Terms("be"), Terms("s"))
    home = CACHE / "zeep"

    @classmethod
    def obtain(cls, _options):
        python, wanted = cls.home / "bin/python", (HERE / "zeep/requirements.txt").read_text()
        installed = cls.home / "installed.txt"
        if installed.exists() and installed.read_text() == wanted:
            return
        for command in ([sys.executable, "-m", "venv", cls.home], [python, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", "-r", HERE / "zeep/requirements.txt"]):
            done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unavailable(f"`{command[1]} {command[2]}` failed: {(done.stdout + done.stderr)[-1000:]}")
        installed.write_text(wanted)

    def program(self, role):
        return self.home / "bin/python", HERE / f"zeep/{role}.py"


PARTNERS = {"cxf": Cxf, "zeep": Zeep}

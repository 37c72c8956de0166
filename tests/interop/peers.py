"""The other implementations as processes: where they come from, how they are set up, and the one interface by which a run drives them.

A peer is an organisation of a Deployment (certificate, host, party) that runs something else than Schakel. It is driven over the application interface of ebms-core (ebms.md 2.10).
"""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import string
import subprocess
import urllib.parse

from deployment import ROOT, Failure, Organisation, die_with_parent, free_ports, wait_until

HERE = pathlib.Path(__file__).resolve().parent
CACHE = ROOT / "build/interop"
SCHEMAS = ROOT.parent / "shared/standards/ebms/xsd"
JAVA = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Duser.timezone=Europe/Amsterdam"]


PROFILES = ("osb-be", "osb-rm", "osb-be-s", "osb-rm-s", "osb-be-e", "osb-rm-e")


class Unavailable(Exception):
    """The peer's program is not to be had here; says what was tried."""


class Participant(Organisation):
    """Takes part in every profile; its TLS certificate also signs and is encrypted for."""

    def party(self):
        out = super().party()
        out["profiles"] = list(PROFILES)
        certificate = pem_blocks(self.chain.read_text())[0]
        out["certificates"] |= {"signing": certificate, "encryption": certificate}
        return out


class Peer(Participant):
    """A Java peer. `slug` names its folder. States and events have the names of ebms-core."""

    title = ""

    def __init__(self, deployment, java=tuple(JAVA), **options):
        self.application, external = free_ports(2)
        super().__init__(deployment, ports=(external, 0, 0, 0), **options)
        self.java = list(java)
        self.database = "jdbc:h2:file:" + str(self.folder / "h2") + ";WRITE_DELAY=0"  # durable on disk: every commit is forced
        deployment.organisations.append(self)

    def set_up(self):
        """Certificate, key stores and properties."""
        self.chain, self.key = self.deployment.certificate(self.name, self.oin, [self.host, "localhost"])
        password, keys, trust = secrets.token_hex(16), self.folder / "keys.p12", self.folder / "trust.p12"
        environment = {**os.environ, "PEER_STORE_PASSWORD": password}  # never on a command line
        tool(["openssl", "pkcs12", "-export", "-in", self.chain, "-inkey", self.key, "-name", "peer", "-out", keys, "-passout", "env:PEER_STORE_PASSWORD"], environment)
        for number, anchor in enumerate(pem_blocks((self.deployment.pki / "anchors.pem").read_text())):
            file = self.folder / f"anchor-{number}.pem"
            file.write_text(anchor)
            tool(["keytool", "-importcert", "-noprompt", "-alias", f"anchor-{number}", "-file", file, "-keystore", trust, "-storetype", "PKCS12", "-storepass:env", "PEER_STORE_PASSWORD"], environment)
        template = string.Template((HERE / "ebms-core/ebms-admin.embedded.properties").read_text())
        properties = self.folder / "ebms-admin.embedded.properties"
        properties.touch(mode=0o600)
        properties.write_text(template.substitute(port=self.external, keys=keys, trust=trust, password=password, database=self.database, schemas=SCHEMAS if SCHEMAS.exists() else ""))

    def command(self):
        raise NotImplementedError

    def start(self, wrap=()):
        log = (self.folder / "node.log").open("ab")
        self.process = subprocess.Popen([*wrap, *self.command()], stdout=log, stderr=log, cwd=self.folder, preexec_fn=die_with_parent)
        wait_until(f"{self.name} is ready", self.ready, 180, 0.1)

    def ready(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.tail(40)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.rest("GET", "cpas", expect=None)[0] == 200
        return False

    # --- the application interface --------------------------------------------------------------------------------------------------

    def rest(self, method, path, body=None, content_type="application/json", expect=(200, 204), timeout=120):
        connection = http.client.HTTPConnection("127.0.0.1", self.application, timeout=timeout)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        try:
            connection.request(method, "/service/rest/v19/" + path, body=body, headers={"Content-Type": content_type} if body is not None else {})
            answer = connection.getresponse()
            status, octets = answer.status, answer.read()
        finally:
            connection.close()
        if expect and status not in expect:
            raise Failure(f"{self.name}: {method} {path} answered {status}: {octets.decode(errors='replace')[:1000]}")
        return status, octets

    def load(self, document):
        self.rest("POST", "cpas?overwrite=true", document, content_type="text/plain")

    def reach(self, other, port=None):
        """@param port another port than the other's own; one where nobody listens cuts the way."""
        self.rest("POST", "urlMappings", {"source": other.endpoint, "destination": f"https://localhost:{port or other.external}/ebms"})

    def submit(self, _other, cpa_id, role, service, action, parts, **more):
        """@param parts (name, content type, octets) each. @param more conversationId, refToMessageId. @return the MessageId."""
        properties = {"cpaId": cpa_id, "fromPartyId": party(self), "fromRole": role, "service": f"urn:osb:services:{service}", "action": action, **more}
        sources = [{"name": name, "contentType": kind, "content": base64.b64encode(octets).decode()} for name, kind, octets in parts]
        return self.rest("POST", "ebms/messages", {"properties": properties, "dataSources": sources})[1].decode().strip('"')

    def events(self, message_id, *types):
        query = urllib.parse.urlencode([("messageId", message_id), *(("eventTypes", one) for one in types)])
        return [one["type"] for one in json.loads(self.rest("GET", f"ebms/events/unprocessed?{query}")[1])]

    def unprocessed(self, cpa_id):
        return json.loads(self.rest("GET", f"ebms/messages/unprocessed?{urllib.parse.urlencode({'cpaId': cpa_id})}")[1])

    def properties(self, message_id):
        return wait_until(f"{message_id} arrives", lambda: self.held(message_id))["properties"]

    def held(self, message_id):
        status, octets = self.rest("GET", f"ebms/messages/{urllib.parse.quote(message_id, safe='')}", expect=(200, 404))
        return json.loads(octets) if status == 200 else None

    def take(self, message_id):
        """@return the payloads of a received message, as (name, content type, octets); the message is then processed."""
        found = self.held(message_id)
        self.rest("PATCH", f"ebms/messages/{urllib.parse.quote(message_id, safe='')}")
        return [(one["name"], one["contentType"], base64.b64decode(one["content"])) for one in found["dataSources"]]

    def ping(self, other, cpa_id):
        self.rest("POST", "ebms/ping/" + "/".join(urllib.parse.quote(one, safe="") for one in (cpa_id, "from", party(self), "to", party(other))))

    def remote_status(self, message_id):
        return json.loads(self.rest("GET", f"ebms/messages/{urllib.parse.quote(message_id, safe='')}/status")[1])["status"]


def party(organisation):
    return f"urn:osb:oin:{organisation.oin}"


def pem_blocks(text):
    end = "-----END CERTIFICATE-----"
    return [one.strip() + "\n" + end + "\n" for one in text.split(end) if "BEGIN" in one]


def tool(command, environment=None):
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} {command[1]} ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed (Debian: openjdk-17-jdk-headless, maven)")


class Model(Peer):
    """tests/interop/model: our own second message handler, on the JDK, with the quirks of ebms.md 1.16."""

    title = "an ebMS2 handler of our own on the JDK's TLS, HTTP and XML security, with the ways of ebms-core that ebms.md 1.16 records"

    @staticmethod
    def obtain(_options):
        need("javac", "java", "keytool")
        classes = CACHE / "model"
        classes.mkdir(parents=True, exist_ok=True)
        tool(["javac", "-Xlint:all", "-Werror", "-d", classes, *sorted((HERE / "model").glob("*.java"))])

    def command(self):
        return [*self.java, "-cp", CACHE / "model", "Model", "-port", str(self.application), "-configDir", f"{self.folder}/"]


class EbmsCore(Peer):
    """ebms-core, run by ebms-admin with its embedded adapter."""

    title = "ebms-core 2.20.2 in ebms-admin 2.20.2, from the package registry by name, or from --jars FOLDER"
    jars = CACHE / "ebms-core"

    @classmethod
    def obtain(cls, options):
        need("java", "keytool")
        if options.jars:
            cls.jars = pathlib.Path(options.jars).resolve()
        elif not list(cls.jars.glob("ebms-admin*.jar")):
            need("mvn")
            cls.jars.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["mvn", "-B", "-q", "-f", HERE / "ebms-core/pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={cls.jars}"], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                lines = [line for line in done.stdout.splitlines() if "ERROR" in line]
                raise Unavailable("`mvn dependency:copy-dependencies` with tests/interop/ebms-core/pom.xml did not get it:\n" + "\n".join(lines[:3]) + "\nWith the jars at hand: ./dev interop ebms-core --jars FOLDER")
        if not list(cls.jars.glob("*.jar")):
            raise Unavailable(f"no jar in {cls.jars}")

    def command(self):
        return [*self.java, "-Djavax.net.ssl.trustStore=", "-cp", f"{self.jars}/*", "nl.clockwork.ebms.admin.StartEmbedded", "-headless", "-soap", "-host", "127.0.0.1", "-port", str(self.application),
                "-configDir", f"{self.folder}/"]


PEERS = {"ebms-core": EbmsCore, "model": Model}

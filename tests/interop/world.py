"""The two sides of an interoperability run, their contracts, and what is waited for."""
import base64
import json
import random
import re
import time
import urllib.parse

from deployment import Failure, compose, wait_until
from peers import Participant

CONSUMER, PROVIDER = "Melder", "Register"
PATIENCE = 150  # five failures in a row open our circuit to a partner; its probe comes after 60 s


class NotYet(Exception):
    """Our node cannot do this yet."""


class Theirs(Exception):
    """The peer's reason: the row of ebms.md that records it, and what was seen."""

    def __init__(self, row, what):
        super().__init__(f"{row}: {what}")
        self.row = row


class Node(Participant):
    """Our node, with the words of the peers."""

    def reach(self, other, port=None):
        self.json("POST", "/api/v1/url-mappings", {"source": other.endpoint, "destination": f"https://localhost:{port or other.external}/ebms"})

    def submit(self, other, cpa_id, _role, service, action, parts, **more):
        """@param more conversationId, refToMessageId."""
        if sum(len(octets) for _, _, octets in parts) > 1024 * 1024:
            return self.submit_files(other, cpa_id, service, action, parts)
        body = {"cpaId": cpa_id, "toOin": other.oin, "service": service, "action": action,
                "payloads": [{"contentType": kind, "data": base64.b64encode(octets).decode(), **({"fileName": name} if name else {})} for name, kind, octets in parts], **more}
        return self.message(self.json("POST", "/api/v1/messages", body)["id"])["messageId"]

    def submit_files(self, other, cpa_id, service, action, parts):
        """Large payloads are streamed from files by the command line; in JSON they are refused."""
        arguments = []
        for name, kind, octets in parts:
            file = self.folder / name
            file.write_bytes(octets)
            arguments += ["--payload", f"{file};type={kind}"]
        answer = self.cli("message", "send", "--cpa-id", cpa_id, "--to-oin", other.oin, "--service", service, "--action", action, *arguments, "--json")
        return self.message(json.loads(answer.stdout)["id"])["messageId"]

    def found(self, message_id, direction):
        found = self.messages(messageId=urllib.parse.quote(message_id), direction=direction)
        return self.message(found[0]["id"]) if found else None

    def events(self, message_id, *types):
        """The states of ebms-core for a message that we sent."""
        state = self.found(message_id, "outbound")["state"]
        return [state] if state in types else []

    def unprocessed(self, cpa_id):
        return [one["messageId"] for one in self.messages(cpaId=urllib.parse.quote(cpa_id), direction="inbound") if one["state"] in ("RECEIVED", "OFFERED")]

    def properties(self, message_id):
        return wait_until(f"{message_id} arrives", lambda: self.found(message_id, "inbound"))

    def take(self, message_id):
        message = self.found(message_id, "inbound")
        payloads = self.json("GET", f"/api/v1/messages/{message['id']}").get("payloads", [])
        out = [(one.get("fileName"), one["contentType"], self.get(f"/api/v1/messages/{message['id']}/payloads/{index}")[1]) for index, one in enumerate(payloads)]
        self.json("POST", f"/api/v1/messages/{message['id']}/acknowledgement", {"result": "processed"})
        return out

    def tolerate(self, partner, algorithm):
        """A dated exception for a partner (SEC-083). @return its id."""
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
        body = {"partnerOin": partner.oin, "protocol": "ebms", "algorithm": algorithm, "reason": "interoperability run", "until": until}
        status, answer, _ = self.request("POST", "/api/v1/algorithm-exceptions", body)
        if status not in (200, 201):
            raise Failure(f"the exception was refused with {status}: {answer.decode(errors='replace')[:500]}")
        return json.loads(answer)["id"]

    def tolerate_no_more(self, exception):
        path = f"/api/v1/algorithm-exceptions/{exception}"
        _, _, headers = self.request("GET", path)
        self.json("DELETE", path, headers={"If-Match": headers["ETag"]})

    def ping(self, other, cpa_id):
        answer = self.json("POST", f"/api/v1/partners/{other.oin}/_ping", {"cpaId": cpa_id})
        if answer["result"] != "pong":
            raise Failure(f"no pong: {answer}")

    def remote_status(self, message_id):
        status, body, _ = self.request("GET", f"/service/rest/v19/ebms/messages/{urllib.parse.quote(message_id, safe='')}/status", port=self.internal)
        if status != 200:
            raise Failure(f"message status answered {status}: {body.decode(errors='replace')[:500]}")
        return json.loads(body)["status"]


# --- contracts ------------------------------------------------------------------------------------------------------------------------------


class Contract:
    """One CPA: the node is the provider (role Register), the peer the consumer. @param kind tells the CPAs of one profile apart. @param edit makes it one of another register than ours."""

    def __init__(self, world, profile, kind, sync=False, cipher_of_peer=True, edit=lambda document: document, **terms):
        self.profile, self.name = profile, profile.title().replace("-", "") + kind
        terms = {"retries": 60, **terms}  # a message outlives the wait for the probe of an open circuit
        self.document = compose(world.deployment, self.name, profile, world.peer, world.node, sync=sync, **terms)
        if cipher_of_peer:  # ebms-core encrypts in CBC mode only (EB-241). We compose no such CPA (V34), so this one is as another register makes it; it is the dated exception of EB-171.
            self.document = self.document.replace(GCM, b"http://www.w3.org/2001/04/xmlenc#aes256-cbc")
        self.document = edit(self.document)
        self.cpa_id = re.search(rb'cpaid="([^"]*)"', self.document)[1].decode()

    @property
    def service(self):
        return f"Voorbeeld:{self.name}:1:0"

    @property
    def reliable(self):
        return self.profile.startswith("osb-rm")


RSA_1_5 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"
GCM = b"http://www.w3.org/2009/xmlenc11#aes256-gcm"


class World:
    """The two sides and their contracts."""

    def __init__(self, deployment, node, peer, count):
        self.deployment, self.node, self.peer, self.count = deployment, node, peer, count
        self.contracts = {}
        self.exception = None
        self.random = random.Random(2026)

    def contract(self, profile, kind="", peers_copy=None, **terms):
        """A contract of that kind, composed and loaded on both sides when first asked for. @param peers_copy changes the document that the peer gets."""
        key = (profile, kind)
        if key not in self.contracts:
            made = Contract(self, profile, kind, **terms)
            self.contracts[key] = self.loaded(made)
            self.peer.load(peers_copy(made.document) if peers_copy else made.document)
        if isinstance(self.contracts[key], NotYet):
            raise self.contracts[key]
        return self.contracts[key]

    def loaded(self, contract):
        """Loads it at our node. @return the contract; NotYet when the node says that it lacks the means for its profile."""
        try:
            self.node.load(contract.document)
            if contract.profile.endswith("-e") and not self.exception:
                self.exception = self.node.tolerate(self.peer, RSA_1_5)
            return contract
        except NotYet as reason:
            return reason
        except Failure as refused:
            if "answered 409" in str(refused) and '"actions":' in str(refused):
                return NotYet(f"our node does not offer {contract.profile}: " + str(refused).rpartition('"actions":')[2])
            raise

    def sides(self, sending):
        """@param sending whether our node sends. @return sender, receiver, role, action."""
        return (self.node, self.peer, PROVIDER, "meldResultaat") if sending else (self.peer, self.node, CONSUMER, "meldWijziging")

    def submit(self, contract, sending, parts=None, action=None, **more):
        sender, receiver, role, usual = self.sides(sending)
        return sender.submit(receiver, contract.cpa_id, role, contract.service, action or usual, small() if parts is None else parts, **more)


def small(number=1):
    return [("melding.xml", "application/xml", f'<m:Melding xmlns:m="urn:example:melding:1"><m:kenmerk>K-{number:04}</m:kenmerk></m:Melding>'.encode())]


def outcome(side, message_id, *wanted, seconds=PATIENCE):
    """Waits for one of the wanted events of a sent message; another final event is a Failure."""

    def there():
        events = side.events(message_id, "DELIVERED", "FAILED", "EXPIRED")
        if events and not set(events) & set(wanted):
            raise Failure(f"{side.name}: {message_id} is {events}, not {wanted}: {explain(side, message_id)}")
        return events

    return wait_until(f"{side.name}: {message_id} becomes {' or '.join(wanted)}", there, seconds, 0.05)


def explain(side, message_id):
    if isinstance(side, Node):
        return side.found(message_id, "outbound").get("lastError")
    lines = [line for line in (side.folder / "node.log").read_text(errors="replace").splitlines() if message_id in line]
    return " | ".join(lines[-3:])


def arrived(side, contract, message_id, parts, seconds=PATIENCE):
    """The other side holds it once, with the same octets, names and types; it is then processed."""
    wait_until(f"{side.name}: {message_id} arrives", lambda: message_id in side.unprocessed(contract.cpa_id), seconds, 0.05)
    held = side.unprocessed(contract.cpa_id)
    if held.count(message_id) != 1:
        raise Failure(f"{side.name} holds {message_id} {held.count(message_id)} times")
    got = side.take(message_id)
    if [(name, kind.split(";")[0], octets) for name, kind, octets in got] != parts:
        raise Failure(f"{side.name}: the payloads of {message_id} are not what was sent: {[(name, kind, len(octets)) for name, kind, octets in got]}")
    if message_id in side.unprocessed(contract.cpa_id):
        raise Failure(f"{side.name}: {message_id} is still unprocessed after it was processed")


def exchange(world, contract, sending, batches):
    """Sends all, then sees all delivered and received."""
    sender, receiver, _, _ = world.sides(sending)
    sent = [(world.submit(contract, sending, parts), parts) for parts in batches]
    for message_id, parts in sent:
        outcome(sender, message_id, "DELIVERED")
        arrived(receiver, contract, message_id, parts)

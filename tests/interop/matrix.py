"""What is tried with a peer, per profile and in both directions, and the table of what came out.

A scenario is a function `(world, contract, sending)`; it returns when everything that it names was seen, and raises Failure when not, NotYet when our node cannot do it yet, and Theirs when the cause is a
way of the peer that a row of ebms.md 1.16 records.
"""
import base64
import contextlib
import json
import random
import re
import time
import traceback
import urllib.parse

from deployment import Failure, compose, free_ports, wait_until
from peers import PROFILES, Participant, pem_blocks

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
        found = found if isinstance(found, list) else found["messages"] if "messages" in found else found["items"]
        return self.message(found[0]["id"]) if found else None

    def events(self, message_id, *types):
        """The states of ebms-core for a message that we sent."""
        state = self.found(message_id, "outbound")["state"]
        return [state] if state in types else []

    def unprocessed(self, cpa_id):
        found = self.messages(cpaId=urllib.parse.quote(cpa_id), direction="inbound")
        found = found if isinstance(found, list) else found["messages"] if "messages" in found else found["items"]
        return [one["messageId"] for one in found if one["state"] in ("RECEIVED", "OFFERED")]

    def properties(self, message_id):
        return wait_until(f"{message_id} arrives", lambda: self.found(message_id, "inbound"))

    def take(self, message_id):
        message = self.found(message_id, "inbound")
        payloads = self.json("GET", f"/api/v1/messages/{message['id']}").get("payloads", [])
        out = [(one.get("fileName"), one["contentType"], self.get(f"/api/v1/messages/{message['id']}/payloads/{index}")[1]) for index, one in enumerate(payloads)]
        self.json("POST", f"/api/v1/messages/{message['id']}/acknowledgement", {"result": "processed"})
        return out

    def ping(self, other, cpa_id):
        answer = self.json("POST", f"/api/v1/partners/{other.oin}/_ping", {"cpaId": cpa_id})
        if answer["result"] != "pong":
            raise Failure(f"no pong: {answer}")

    def remote_status(self, message_id):
        status, body, _ = self.request("GET", f"/service/rest/v19/ebms/messages/{urllib.parse.quote(message_id, safe='')}/status")
        if status == 404 and b"No message" not in body:
            raise NotYet("the application interface of ebms-core (EB-212) is not there")
        if status != 200:
            raise Failure(f"message status answered {status}: {body.decode(errors='replace')[:500]}")
        return json.loads(body)["status"]


# --- contracts ------------------------------------------------------------------------------------------------------------------------------


class Contract:
    """One CPA: the node is the provider (role Register), the peer the consumer. @param kind tells the CPAs of one profile apart. @param edit makes it one of another register than ours."""

    def __init__(self, world, profile, kind, sync=False, cipher_of_peer=True, edit=lambda document: document, **terms):
        self.profile, self.name = profile, profile.title().replace("-", "") + kind
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


GCM = b"http://www.w3.org/2009/xmlenc11#aes256-gcm"


class World:
    """The two sides and their contracts."""

    def __init__(self, deployment, node, peer, count):
        self.deployment, self.node, self.peer, self.count = deployment, node, peer, count
        self.contracts = {}
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
            return contract
        except Failure as refused:
            if "answered 409" in str(refused) and '"actions":' in str(refused):
                return NotYet(f"our node does not offer {contract.profile}")
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


# --- scenarios ------------------------------------------------------------------------------------------------------------------------------


def nasty(world, number):
    """Payloads that a careless parser changes: no octet, line ends at the ends, lines like boundaries, every octet value, no file name (EB-236)."""
    return [[("leeg.bin", "application/octet-stream", b"")], [("crlf.txt", "text/plain", b"\r\nregel\r\n\r\n")], [("grens.txt", "text/plain", b"--b\r\n--b--\r\n---=x=-\r\n--")],
            [("alles.bin", "application/octet-stream", bytes(range(256)) * 3)], [("wit.xml", "application/xml", b'<?xml version="1.0"?>\n<a>\r\n<b/>\t</a>\n')],
            [(None, "application/octet-stream", b"naamloos")]][number % 6]


def no_payload(world, contract, sending):
    exchange(world, contract, sending, [[]] * (world.count // 3))


def one_payload(world, contract, sending):
    exchange(world, contract, sending, [nasty(world, number) if number % 2 else small(number) for number in range(world.count // 3)])


def three_payloads(world, contract, sending):
    exchange(world, contract, sending, [small(number) + nasty(world, number) + [("rest.bin", "application/octet-stream", world.random.randbytes(5000))] for number in range(world.count // 3)])


def ten_megabytes(world, contract, sending):
    exchange(world, contract, sending, [[("groot.bin", "application/octet-stream", world.random.randbytes(10 * 1024 * 1024))]])


def synchronous(world, contract, sending):
    """Acknowledgements in the HTTP answer: A05."""
    contract = world.contract(contract.profile, "Sync", sync=True)
    exchange(world, contract, sending, [small(number) for number in range(max(2, world.count // 6))])
    if sending:
        message = world.node.found(world.submit(contract, True), "outbound")
        wait_until("the synchronous message is delivered", lambda: world.node.message(message["id"])["state"] == "DELIVERED", 20)
        if world.node.message(message["id"])["attempts"] != 1:
            raise Failure("a synchronous acknowledgement took more than one attempt")


def half_synchronous(world, contract, sending):
    """The actions are synchronous, the signal channel is not: ebms-core then sends no SyncReply and waits for an asynchronous acknowledgement (EB-122)."""

    def edit(document):
        edited, count = re.subn(rb'(channelId="\w+_Channel_Msh"[^>]*>\s*<tns:MessagingCharacteristics tns:syncReplyMode=")mshSignalsOnly', rb"\1none", document)
        if count != 2:
            raise Failure(f"the CPA has {count} synchronous signal channels, not 2")
        return edited

    contract = world.contract(contract.profile, "Half", sync=True, edit=edit)
    exchange(world, contract, sending, [small()] * 3)


def answered(world, contract, sending):
    """A business answer to a message: RefToMessageId and ConversationId (EB-065, EB-069, EB-233)."""
    asker, answerer, _, _ = world.sides(not sending)
    conversation = f"gesprek-{contract.name}-{sending}"
    question = world.submit(contract, not sending, conversationId=conversation)
    outcome(asker, question, "DELIVERED")
    arrived(answerer, contract, question, small())
    answer = world.submit(contract, sending, conversationId=conversation, refToMessageId=question)
    outcome(answerer, answer, "DELIVERED")
    told = asker.properties(answer)
    if (told["conversationId"], told["refToMessageId"]) != (conversation, question):
        raise Failure(f"the answer belongs to {told}")
    arrived(asker, contract, answer, small())


def ping(world, contract, sending):
    sender, receiver, _, _ = world.sides(sending)
    sender.ping(receiver, contract.cpa_id)


def status(world, contract, sending):
    """EB-182: Received, then Processed."""
    sender, receiver, _, _ = world.sides(sending)
    message_id = world.submit(contract, sending)
    outcome(sender, message_id, "DELIVERED")
    for wanted in ("RECEIVED", "PROCESSED"):
        told = sender.remote_status(message_id)
        if told != wanted:
            raise Failure(f"the status of {message_id} is {told}, not {wanted}")
        if wanted == "RECEIVED":
            arrived(receiver, contract, message_id, small())


def duplicates(world, contract, sending):
    """The acknowledgement cannot get through; the sender repeats; then it can: one message, delivered."""
    sender, receiver, _, _ = world.sides(sending)
    (nowhere,) = free_ports(1)
    receiver.reach(sender, nowhere)
    try:
        message_id = world.submit(contract, sending)
        if sending:
            wait_until("our node repeats", lambda: world.node.found(message_id, "outbound")["attempts"] >= 2, 60)
        else:
            wait_until("the peer repeats", lambda: (world.node.found(message_id, "inbound") or {}).get("duplicateCount", 0) >= 1, 60)
    finally:
        receiver.reach(sender)
    outcome(sender, message_id, "DELIVERED")
    arrived(receiver, contract, message_id, small())


def restart_of_receiver(world, contract, sending):
    """The receiver is killed, messages are sent, it starts again: all arrive, each once."""
    restart(world, contract, sending, world.sides(sending)[1])


def restart_of_sender(world, contract, sending):
    restart(world, contract, sending, world.sides(sending)[0])


def restart(world, contract, sending, victim):
    sender, receiver, _, _ = world.sides(sending)
    (nowhere,) = free_ports(1)
    before = world.submit(contract, sending)
    if victim is sender:  # what it accepted and could not yet send, and what waits for an acknowledgement
        sender.reach(receiver, nowhere)
        waiting = world.submit(contract, sending)
        sender.kill()
        sender.start()
        sender.reach(receiver)
    else:
        receiver.kill()
        waiting = world.submit(contract, sending)
        receiver.start()
    for message_id in (before, waiting):
        outcome(sender, message_id, "DELIVERED")
        arrived(receiver, contract, message_id, small())


def expiry(world, contract, sending):
    """A silent receiver: EXPIRED at TimeToLive (EB-106)."""
    contract = world.contract(contract.profile, "Kort", retries=1, interval="PT2S")
    sender, receiver, _, _ = world.sides(sending)
    (nowhere,) = free_ports(1)
    sender.reach(receiver, nowhere)
    try:
        message_id = world.submit(contract, sending)
        outcome(sender, message_id, "EXPIRED", seconds=90)
    finally:
        sender.reach(receiver)
    if message_id in receiver.unprocessed(contract.cpa_id):
        raise Failure("an expired message arrived")


def refused(world, contract, sending):
    """Copies of the CPA that do not agree on the action: ValueNotRecognized, and the sender's message fails."""
    contract = world.contract(contract.profile, "Anders", peers_copy=lambda document: document.replace(b'"meldWijziging"', b'"meldAnders"').replace(b'"meldResultaat"', b'"meldUitslag"'))
    sender, receiver, _, _ = world.sides(sending)
    message_id = world.submit(contract, sending, action="meldResultaat" if sending else "meldAnders")
    if contract.reliable:
        outcome(sender, message_id, "FAILED")
    told = told_error(world, contract, sending, message_id)
    if "ValueNotRecognized" not in told or "Action" not in told:
        raise Failure(f"the error told is {told}")
    if message_id in receiver.unprocessed(contract.cpa_id):
        raise Failure(f"{receiver.name} holds the message that it refused")


def told_error(world, contract, sending, message_id):
    """What the sender knows of the MessageError."""
    node = world.node
    if not sending:
        held = wait_until("our node refuses it", lambda: refused_by(node, message_id), 30)
        return json.dumps(held.get("lastError"))
    if contract.reliable:
        return json.dumps(node.found(message_id, "outbound").get("lastError"))
    # Best effort ended with the 2xx; an error that comes later changes nothing and is logged (3.7).
    wait_until("the error reaches our node", lambda: re.search(rf'ebms\.signalIgnored.*{re.escape(message_id)}.*MessageError', node.tail(200)), 30)
    return explain(world.peer, message_id)


def refused_by(node, message_id):
    held = node.found(message_id, "inbound")
    return held if held and held["state"] == "REFUSED" else None


def other_certificate(world, contract, sending):
    """The receiver's copy of the CPA names another signing certificate of the sender: SecurityFailure (check 25)."""
    sender, receiver, _, _ = world.sides(sending)
    kind = "Vreemd" + ("Uit" if sending else "In")
    chain, _ = world.deployment.certificate(sender.name, sender.oin, [sender.host])
    own, foreign = ("".join(pem_blocks(one.read_text())[0].splitlines()[1:-1]) for one in (sender.chain, chain))

    def forged(document):
        text = re.sub(rb"(<(?:\w+:)?X509Certificate>)\s*([^<]*?)\s*(</)", lambda found: found[1] + b"".join(found[2].split()) + found[3], document)
        signing = re.compile(rb'(certId="[^"]*SigningCert".*?<(?:\w+:)?X509Certificate>)' + re.escape(own.encode()), re.S)
        text, count = signing.subn(lambda found: found[1] + foreign.encode(), text)
        if not count:
            raise Failure("the CPA does not name the sender's signing certificate")
        return text

    if sending:
        contract = world.contract(contract.profile, kind, peers_copy=forged)
    else:
        contract = Contract(world, contract.profile, kind)
        world.peer.load(contract.document)
        world.node.load(forged(contract.document))
    message_id = world.submit(contract, sending)
    if contract.reliable:
        outcome(sender, message_id, "FAILED")
    if "SecurityFailure" not in told_error(world, contract, sending, message_id):
        raise Failure("the error is not SecurityFailure")
    if message_id in receiver.unprocessed(contract.cpa_id):
        raise Failure(f"{receiver.name} holds the message that it refused")


def galois(world, contract, sending):
    """The CPA as we compose it, with AES-GCM: the peer can read that, not write it (EB-241)."""
    contract = world.contract(contract.profile, "Gcm", cipher_of_peer=False)
    sender, receiver, _, _ = world.sides(sending)
    message_id = world.submit(contract, sending)
    event = outcome(sender, message_id, "DELIVERED", *([] if sending else ["FAILED"]))
    if event == ["FAILED"] and not world.node.found(message_id, "inbound"):
        raise Theirs("EB-241", f"the peer sent nothing: {explain(sender, message_id)}")
    outcome(sender, message_id, "DELIVERED")
    arrived(receiver, contract, message_id, small())


def late_agreement(world, contract, sending):
    """The receiver does not know the CPA yet: 500, the sender repeats; it is loaded: delivered (EB-230, EB-231)."""
    sender, receiver, _, _ = world.sides(sending)
    made = Contract(world, contract.profile, "Laat" + ("Uit" if sending else "In"))
    sender.load(made.document)
    message_id = world.submit(made, sending)
    if sending:
        wait_until("our node tries", lambda: world.node.found(message_id, "outbound")["attempts"] >= 1, 60)
    else:
        time.sleep(2)
    receiver.load(made.document)
    outcome(sender, message_id, "DELIVERED")
    arrived(receiver, made, message_id, small())


ALL, RELIABLE, SIGNED, ENCRYPTED = "all", "reliable", "signed", "encrypted"
SCENARIOS = (
    ("no payload", no_payload, ALL), ("one payload", one_payload, ALL), ("three payloads", three_payloads, ALL), ("10 MB", ten_megabytes, ALL), ("answer", answered, ALL), ("synchronous", synchronous, RELIABLE), ("half synchronous", half_synchronous, RELIABLE),
    ("ping", ping, ALL),
    ("message status", status, ALL), ("duplicates", duplicates, RELIABLE), ("restart of receiver", restart_of_receiver, RELIABLE), ("restart of sender", restart_of_sender, RELIABLE), ("expiry", expiry, RELIABLE),
    ("refused", refused, ALL), ("wrong signature", other_certificate, SIGNED), ("AES-GCM in the CPA", galois, ENCRYPTED),
    ("CPA loaded late", late_agreement, RELIABLE),
)


def applies(kind, profile):
    return {ALL: True, RELIABLE: profile.startswith("osb-rm"), SIGNED: profile.endswith(("-s", "-e")), ENCRYPTED: profile.endswith("-e")}[kind]


def attempt(world, profile, scenario, sending):
    """@return what the table shows, and why."""
    try:
        scenario(world, world.contract(profile), sending)
        return "passed", ""
    except NotYet as reason:
        return "not yet", str(reason)
    except Theirs as reason:
        return reason.row, str(reason)
    except Failure as reason:
        return "FAILED", str(reason)[:600]
    except (OSError, KeyError, ValueError):  # the driver's own or a dead side
        return "FAILED", traceback.format_exc(limit=-2)


def play(world, profiles, only, say):
    """@return {(scenario, profile, direction): (shown, why)}."""
    out = {}
    for profile in profiles:
        missing = lacking(world, profile)
        if missing:
            say(f"{profile:9} not yet: {missing}")
        for title, scenario, kind in SCENARIOS:
            if not applies(kind, profile) or (only and only not in title):
                continue
            for sending in (True, False):
                if missing:
                    out[title, profile, sending] = "not yet", missing
                    continue
                began = time.monotonic()
                shown, why = out[title, profile, sending] = attempt(world, profile, scenario, sending)
                say(f"{profile:9} {'us -> peer' if sending else 'peer -> us'}  {title:20} {shown} ({time.monotonic() - began:.1f} s)" + (f"\n    {why}" if shown not in ("passed", "not yet") else ""))
                revive(world)
    return out


def lacking(world, profile):
    """Why our node cannot do a profile at all; empty when it can."""
    try:
        world.contract(profile)
        return ""
    except NotYet as reason:
        return str(reason)
    except Failure:
        return ""  # then every cell says it


def revive(world):
    """A failed scenario may leave a side dead or a way cut."""
    for one, other in ((world.node, world.peer), (world.peer, world.node)):
        if one.process.poll() is not None:
            one.start()
        with contextlib.suppress(Failure):
            one.reach(other)


def table(results, profiles):
    """Two columns per profile: us -> peer, peer -> us."""
    columns = [(profile, sending) for profile in profiles for sending in (True, False)]
    lines = [" " * 21 + "".join(f"{profile:^22}" for profile in profiles), " " * 21 + "".join(f"{'us -> peer' if sending else 'peer -> us':^11}" for _, sending in columns)]
    for title, _, _ in SCENARIOS:
        cells = [results.get((title, profile, sending), ("-", ""))[0] for profile, sending in columns]
        if set(cells) != {"-"}:
            lines.append(f"{title:21}" + "".join(f"{cell:^11}" for cell in cells))
    return "\n".join(lines)

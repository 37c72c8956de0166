"""What is tried with a peer, per profile and in both directions, and the table of what came out.

A scenario is a function `(world, contract, sending)`; it returns when everything that it names was seen, and raises Failure when not, NotYet when our node cannot do it yet, and Theirs when the cause is a
way of the peer that a row of ebms.md 1.16 records.
"""
import contextlib
import json
import re
import time
import traceback

from deployment import Failure, free_ports, wait_until
from peers import pem_blocks
from world import RSA_1_5, Contract, NotYet, Theirs, arrived, exchange, explain, outcome, small

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
    # Best effort ends with the 2xx; an error that comes later changes nothing and is logged (3.7). One that overtakes the 2xx ends the message.
    def told():
        held = node.found(message_id, "outbound")
        if held["state"] == "FAILED":
            return json.dumps(held.get("lastError"))
        return re.search(rf'ebms\.signalIgnored.*{re.escape(message_id)}.*MessageError', node.log()) and explain(world.peer, message_id)

    return wait_until("the error reaches our node", told, 60)


def refused_by(node, message_id):
    held = node.found(message_id, "inbound")
    return held if held and held["state"] == "REFUSED" else None


def forged(world, document, side, kind):
    """The CPA with another certificate of the same organisation. @param kind SigningCert or TlsCert."""
    chain, _ = world.deployment.certificate(side.name, side.oin, [side.host])
    own, foreign = ("".join(pem_blocks(one.read_text())[0].splitlines()[1:-1]).encode() for one in (side.chain, chain))
    document = re.sub(rb"(<ds:X509Certificate>)([^<]*)(</)", lambda found: found[1] + b"".join(found[2].split()) + found[3], document)
    document, count = re.subn(rb'(certId="\w+_' + kind + rb'">\s*<ds:KeyInfo>\s*<ds:X509Data>\s*<ds:X509Certificate>)' + re.escape(own), lambda found: found[1] + foreign, document)
    if count != 1:
        raise Failure(f"the CPA has {count} such certificates of {side.name}")
    return document


def other_certificate(world, contract, sending):
    """The receiver's copy of the CPA names another signing certificate of the sender: SecurityFailure (check 25)."""
    sender, receiver, _, _ = world.sides(sending)
    contract = Contract(world, contract.profile, "Vreemd" + ("Uit" if sending else "In"))
    sender.load(contract.document)
    receiver.load(forged(world, contract.document, sender, b"SigningCert"))
    message_id = world.submit(contract, sending)
    if contract.reliable:
        outcome(sender, message_id, "FAILED")
    if "SecurityFailure" not in told_error(world, contract, sending, message_id):
        raise Failure("the error is not SecurityFailure")
    if message_id in receiver.unprocessed(contract.cpa_id):
        raise Failure(f"{receiver.name} holds the message that it refused")


def other_client(world, contract, sending):
    """The peer's copy of the CPA names another client certificate of ours: a Fault and 500, which is no end (EB-230); corrected: delivered."""
    contract = Contract(world, contract.profile, "Client")
    world.node.load(contract.document)
    world.peer.load(forged(world, contract.document, world.node, b"TlsCert"))
    message_id = world.submit(contract, sending)
    seen = wait_until("the peer refuses our certificate", lambda: world.node.found(message_id, "outbound").get("lastError"), 60)
    if seen["code"] != "transport.500":
        raise Failure(f"the refusal is taken for {seen}")
    world.peer.load(contract.document)
    outcome(world.node, message_id, "DELIVERED")
    arrived(world.peer, contract, message_id, small())


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


def without_exception(world, contract, sending):
    """rsa-1_5, which the peer always uses, without an exception for it: SecurityFailure, nothing delivered (EB-173)."""
    world.node.tolerate_no_more(world.exception)
    try:
        message_id = world.submit(contract, sending)
        if contract.reliable:
            outcome(world.peer, message_id, "FAILED")
        if "SecurityFailure" not in told_error(world, contract, sending, message_id):
            raise Failure("the error is not SecurityFailure")
    finally:
        world.exception = world.node.tolerate(world.peer, RSA_1_5)


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
    ("refused", refused, ALL), ("wrong signature", other_certificate, SIGNED), ("AES-GCM in the CPA", galois, ENCRYPTED), ("rsa-1_5 not excepted", without_exception, ENCRYPTED),
    ("CPA loaded late", late_agreement, RELIABLE), ("client certificate", other_client, RELIABLE),
)
ONE_WAY = {other_client: True, without_exception: False}  # what only one side can do: whether that is our node


def applies(scenario, kind, profile, sending):
    if ONE_WAY.get(scenario, sending) != sending:
        return False
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
            for sending in (True, False):
                if not applies(scenario, kind, profile, sending) or only not in title:
                    continue
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

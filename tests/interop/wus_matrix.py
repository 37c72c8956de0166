"""What is tried with a WUS partner, per terms and in both directions, and the table of what came out.

A scenario is a function `(world, terms, calling)`, `calling` when our node is the consumer; it returns when everything that it names was seen. It raises Failure when not, NotYet when our node cannot do it
yet, and Theirs with a row of wus.md when the cause is a way of the partner that the row allows for.
"""
import random
import time
import traceback

import register
from deployment import Failure
from world import NotYet, Theirs
from wus_peers import Terms

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
# What our provider answers to a partner that does wrong (wus.md 4.5), and what our consumer tells its caller (4.4); by profile where it differs.
FAULTS = {"old-timestamp": f"{{{WSU}}}MessageExpired", "unsigned-header": f"{{{WSSE}}}InvalidSecurity", "sha1": f"{{{WSSE}}}UnsupportedAlgorithm", "tampered": f"{{{WSSE}}}FailedCheck"}
CODES = {"old-timestamp": "WUS-C-TIME", "unsigned-header": "WUS-C-POLICY", "sha1": "WUS-C-POLICY", "tampered": {"s": "WUS-C-SIG", "se": "WUS-C-DECRYPT"}, "no-confirmation": "WUS-C-CONF"}
MiB = 1024 * 1024


class World:
    """The two sides, and the contracts at ours: made when first asked for."""

    def __init__(self, node, partner):
        self.node, self.partner = node, partner
        self.contracts = {}
        self.random = random.Random(2026)

    def provided(self, terms):
        """@return the URL that the partner calls."""
        self.made(("provider", terms), lambda: self.node.provide(terms, self.partner))
        return self.node.service_url(terms)

    def consumed(self, terms, name="", url="", **settings):
        """@param name tells contracts of the same terms apart. @param url where, if not at the partner's service of these terms. @return the id of the contract to call the partner by."""
        return self.made(("consumer", terms, name), lambda: self.node.consume(terms, self.partner, url or self.partner.url(terms), name, **settings))

    def made(self, key, make):
        """A contract that could not be made is not tried again: every cell that needs it says why."""
        if key not in self.contracts:
            try:
                self.contracts[key] = make()
            except (NotYet, Failure) as reason:
                self.contracts[key] = reason
        if isinstance(self.contracts[key], Exception):
            raise self.contracts[key]
        return self.contracts[key]

    def ask_us(self, terms, xml, **options):
        """The partner calls our node. @return (what its client tells, the calls that reached the back-end)."""
        url = self.provided(terms)
        before = len(self.node.backend.calls)
        told = self.partner.call(url, xml, **({"profile": terms.profile, "mtom": "true" if terms.mtom else None} | options))
        return told, self.node.backend.calls[before:]


def expect(what, seen, wanted):
    if seen != wanted:
        raise Failure(f"{what} is {seen!r}, not {wanted!r}")


# --- what goes right ------------------------------------------------------------------------------------------------------------------------


def exchange(world, terms, calling, xml, contract=None, **options):
    """A request and its response: the answer is that of the register, secured as the profile wants, and both sides know whom they dealt with."""
    wanted = register.fields(register.answer(xml).xml)
    if calling:
        got = world.node.call(contract or world.consumed(terms), xml)
        if got.code:
            raise Failure(f"the call failed: {got.status} {got.problem}")
        return expect("the response", register.fields(got.xml), wanted)
    told, reached = world.ask_us(terms, xml, **options)
    if told["outcome"] != "response":
        raise Failure(f"the partner has no response: {told}")
    expect("the response", register.fields(told["payload"]), wanted)
    expect("whether the partner verified it", told["verified"], terms.signed)
    expect("the number of calls of the back-end", len(reached), 1)
    expect("the sender told to the back-end", reached[0].get("schakel-sender-oin"), world.partner.oin)


def question(world, terms, calling):
    """WUS-020, WUS-023, WUS-070..084; WUS-104, WUS-108, WUS-160 (S); WUS-140..148 (SE)."""
    exchange(world, terms, calling, register.question())


def nil(world, terms, calling):
    """xsi:nil in the request, and in the answer to it (WUS-201)."""
    exchange(world, terms, calling, register.question(date=None))


def characters(world, terms, calling):
    """White space, markup, characters outside the BMP, composed and decomposed: unchanged (WUS-022, WUS-202)."""
    exchange(world, terms, calling, register.report("  regel 1\n\tregel 2 <&>\"' ]]> e\u0301 \u00e9 \u00a0\u2028 \U0001f950 "))


def attachments(world, terms, calling):
    """Several, of sizes around the threshold of MTOM, one empty (WUS-180..184)."""
    exchange(world, terms, calling, register.report("bijlagen", *(world.random.randbytes(size) for size in (0, 1, 1023, 1024, 3000))))


def large(world, terms, calling):
    exchange(world, terms, calling, register.report("groot", world.random.randbytes(2 * MiB)))


def many(world, terms, calling):
    for number in range(50):
        exchange(world, terms, calling, register.question(f"{number + 1:08}"))


def declared_fault(world, terms, calling):
    """A fault of the WSDL, secured like a response (WUS-025, WUS-163, WUS-263)."""
    xml = register.question(register.UNKNOWN)
    if calling:
        got = world.node.call(world.consumed(terms), xml)
        expect("the problem", got.code, "WUS-C-FAULT")
        expect("authenticated", got.problem.get("authenticated"), True)  # 2W-be: by TLS
        if "ONBEKEND" not in got.problem.get("detailXml", ""):
            raise Failure(f"the detail is not there: {got.problem}")
        return
    told, reached = world.ask_us(terms, xml)
    expect("the partner's outcome", (told["outcome"], told.get("declared"), told["verified"]), ("fault", "ONBEKEND", terms.signed))
    expect("the number of calls of the back-end", len(reached), 1)


def addresses(world, terms, calling):
    """OINs in wsa:To and wsa:From, in another case (WUS-074..076)."""
    exchange(world, terms, calling, register.question(), to=f"{world.provided(terms)}?oin={world.node.oin}", **{"from": f"https://{world.partner.host}/wus?OIN={world.partner.oin}"})


def key_reference(reference):
    def scenario(world, terms, calling):
        """WUS-144."""
        contract = world.consumed(terms, reference, keyRef=reference) if calling else None
        exchange(world, terms, calling, register.question(), contract, **({} if calling else {"key_ref": reference}))

    return scenario


def by_policy(world, terms, calling):
    """The partner is set by a WS-SecurityPolicy (WUS-046). Its answers name their token by IssuerSerial, which takes a setting (WUS-108)."""
    contract = world.consumed(terms, "policy", world.partner.url(terms, "policy"), acceptIndirectToken=True) if calling else None
    exchange(world, terms, calling, register.question(), contract, **({} if calling else {"policy": "true"}))


def oaep_sha1(world, terms, calling):
    """WUS-173. What the partner itself makes has SHA-1 already: WSS4J's default."""
    exchange(world, terms, calling, register.question(), world.consumed(terms, "oaep-sha1", oaepDigest="sha1"))


def sha512(world, terms, calling):
    """WUS-170, WUS-171."""
    contract = world.consumed(terms, "sha512", signatureAlgorithm="rsa-sha512", digestAlgorithm="sha512")
    if world.partner.wants != "everything":
        refused = world.node.call(contract, register.question())
        if refused.code == "WUS-C-FAULT":
            raise Theirs("WUS-171", f"the partner is set to {world.partner.wants} and takes no other: {refused.problem.get('faultstring')}")
    exchange(world, terms, calling, register.question(), contract)


# --- what is refused ------------------------------------------------------------------------------------------------------------------------


def deviating(deviation):
    def scenario(world, terms, calling):
        """Refused with the code of wus.md 4.4 or 4.5; nothing reaches the back-end or the caller (WUS-110)."""
        if calling:
            code = CODES[deviation]
            return expect("the problem", world.node.call(world.consumed(terms, deviation, world.partner.url(terms, deviation)), register.question()).code, code if isinstance(code, str) else code[terms.profile])
        told, reached = world.ask_us(terms, register.question(), deviation=deviation)
        expect("the partner's outcome", (told["outcome"], told.get("faultcode"), told["verified"]), ("fault", FAULTS[deviation], False))
        expect("the calls of the back-end", reached, [])

    return scenario


def other_profile(world, terms, calling):
    """A message of another profile than the service's (WUS-002): of ours to the partner's service of another profile, and the other way round."""
    other = {"be": "s", "s": "be", "se": "s"}[terms.profile]
    if calling:
        contract = world.consumed(Terms(other), f"naar {terms.profile}", world.partner.url(terms))
        code = world.node.call(contract, register.question()).code
        if code not in ("WUS-C-FAULT", "WUS-C-POLICY"):  # a partner may refuse the request, or answer in its own profile
            raise Failure(f"the problem is {code!r}")
        return
    told, reached = world.ask_us(terms, register.question(), profile=other)
    wanted = f"{{{SOAP}}}Client" if terms.profile == "be" else f"{{{WSSE}}}InvalidSecurity"
    expect("the partner's outcome", (told["outcome"], told.get("faultcode"), told["verified"]), ("fault", wanted, False))
    expect("the calls of the back-end", reached, [])


def anyone(_terms):
    return True


def signed(terms):
    return terms.signed and not terms.mtom


def encrypted(terms):
    return terms.encrypted and not terms.mtom


def inline(terms):
    return not terms.mtom


BOTH, WE_CALL, THEY_CALL = (True, False), (True,), (False,)
SCENARIOS = (
    ("question", question, anyone, BOTH), ("nil", nil, anyone, BOTH), ("characters", characters, anyone, BOTH), ("attachments", attachments, anyone, BOTH), ("2 MiB", large, anyone, BOTH),
    ("fifty calls", many, inline, BOTH), ("declared fault", declared_fault, anyone, BOTH), ("OIN in To and From", addresses, inline, THEY_CALL),
    *((f"key by {one}", key_reference(one), encrypted, BOTH) for one in ("ski", "thumbprint", "bst")), ("by policy", by_policy, encrypted, BOTH),
    ("OAEP with SHA-1", oaep_sha1, encrypted, WE_CALL), ("SHA-512", sha512, signed, WE_CALL),
    *((one.replace("-", " "), deviating(one), signed, WE_CALL if one == "no-confirmation" else BOTH) for one in CODES), ("other profile", other_profile, inline, BOTH),
)


def attempt(world, scenario, terms, calling):
    """@return what the table shows, and why."""
    try:
        scenario(world, terms, calling)
        return "passed", ""
    except NotYet as reason:
        return "not yet", str(reason)
    except Theirs as reason:
        return reason.row, str(reason)
    except Failure as reason:
        return "FAILED", str(reason)[:600]
    except (OSError, KeyError, ValueError):  # the driver's own, or a dead side
        return "FAILED", traceback.format_exc(limit=-2)


def play(world, columns, only, say):
    """@return {(title, terms, calling): (shown, why)}."""
    out = {}
    for terms in columns:
        for title, scenario, applies, directions in SCENARIOS:
            for calling in directions:
                if not applies(terms) or only not in title:
                    continue
                began = time.monotonic()
                shown, why = out[title, terms, calling] = attempt(world, scenario, terms, calling)
                say(f"{terms.label:13} {'us -> partner' if calling else 'partner -> us'}  {title:18} {shown} ({time.monotonic() - began:.1f} s)" + (f"\n    {why}" if shown not in ("passed", "not yet") else ""))
    return out


def table(results, columns):
    """Two columns per terms: us -> partner, partner -> us."""
    sides = [(terms, calling) for terms in columns for calling in BOTH]
    lines = [" " * 19 + "".join(f"{terms.label:^20}" for terms in columns), " " * 19 + "".join(f"{'we call' if calling else 'they call':^10}" for _, calling in sides)]
    for title, *_ in SCENARIOS:
        cells = [results.get((title, terms, calling), ("-", ""))[0] for terms, calling in sides]
        if set(cells) != {"-"}:
            lines.append(f"{title:19}" + "".join(f"{cell:^10}" for cell in cells))
    return "\n".join(lines)

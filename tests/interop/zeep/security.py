"""2W-be-S on lxml and xmlsec, written from the standard: signs and verifies one envelope (wus.md 1.5, 1.7). For the client and the service of this folder."""
import base64
import contextlib
import datetime
import pathlib
import secrets

import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE, WSU = WSS + "wssecurity-secext-1.0.xsd", WSS + "wssecurity-utility-1.0.xsd"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
X509V3 = WSS + "x509-token-profile-1.0#X509v3"
BASE64 = WSS + "soap-message-security-1.0#Base64Binary"
ALLOWED = {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
           "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512"}
SECONDS_VALID, SECONDS_FUTURE = 300, 60
# What is done wrong on purpose, to see it refused; as in cxf/…/Terms.java.
DEVIATIONS = ("old-timestamp", "unsigned-header", "sha1", "tampered", "no-confirmation")


class Refused(Exception):
    """A received message is not what the profile asks."""


def name(namespace, local):
    return f"{{{namespace}}}{local}"


def parse(octets):
    return etree.fromstring(octets, etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False, huge_tree=True))


def header_of(envelope):
    header = envelope.find(name(SOAP, "Header"))
    if header is None:
        raise Refused("there is no soap:Header")
    return header


class Identity:
    """Own key and certificate, and the certificates of the CAs that issue partners'. PEM files."""

    def __init__(self, key, chain, trust):
        self.key = pathlib.Path(key).read_bytes()
        self.certificate = x509.load_pem_x509_certificates(pathlib.Path(chain).read_bytes())[0]
        self.trusted = x509.load_pem_x509_certificates(pathlib.Path(trust).read_bytes())

    def sign(self, envelope, deviation="", confirm=None):
        """Adds wsse:Security to an envelope that has its addressing headers. @param confirm the SignatureValue of the request, for a response. @return the SignatureValue, as octets."""
        header, body = header_of(envelope), envelope.find(name(SOAP, "Body"))
        security = etree.SubElement(header, name(WSSE, "Security"), {name(SOAP, "mustUnderstand"): "1"}, nsmap={"wsse": WSSE, "wsu": WSU})
        token_id = "X509-" + secrets.token_hex(8)
        signed = [one for one in header if one.tag.startswith("{" + WSA + "}")] + [timestamp(security, deviation)]
        token = etree.SubElement(security, name(WSSE, "BinarySecurityToken"), {name(WSU, "Id"): token_id, "ValueType": X509V3, "EncodingType": BASE64})
        token.text = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        if confirm is not None and deviation != "no-confirmation":
            signed.append(etree.SubElement(security, name(WSSE11, "SignatureConfirmation"), {"Value": base64.b64encode(confirm).decode()}, nsmap={"wsse11": WSSE11}))
        signed.append(body)
        if deviation == "unsigned-header":
            signed = [one for one in signed if one.tag != name(WSA, "MessageID")]
        method, digest = (xmlsec.Transform.RSA_SHA1, xmlsec.Transform.SHA1) if deviation == "sha1" else (xmlsec.Transform.RSA_SHA256, xmlsec.Transform.SHA256)
        signature = xmlsec.template.create(security, xmlsec.Transform.EXCL_C14N, method, ns="ds")
        security.append(signature)
        context = xmlsec.SignatureContext()
        for one in signed:
            one.set(name(WSU, "Id"), "id-" + secrets.token_hex(8))
            xmlsec.template.add_transform(xmlsec.template.add_reference(signature, digest, uri="#" + one.get(name(WSU, "Id"))), xmlsec.Transform.EXCL_C14N)
            context.register_id(one, "Id", WSU)
        reference = etree.SubElement(xmlsec.template.ensure_key_info(signature), name(WSSE, "SecurityTokenReference"))
        etree.SubElement(reference, name(WSSE, "Reference"), {"URI": "#" + token_id, "ValueType": X509V3})
        context.key = xmlsec.Key.from_memory(self.key, xmlsec.KeyFormat.PEM)
        context.sign(signature)
        if deviation == "tampered":
            last = [one for one in body.iter() if one.text and one.text.strip()][-1]
            last.text = ("2" if last.text[0] == "1" else "1") + last.text[1:]
        return base64.b64decode(signature.findtext(name(DS, "SignatureValue")))

    def verify(self, envelope, confirmed=None):
        """Raises Refused. @param confirmed our SignatureValue, that a response must confirm. @return (the signer's certificate, its SignatureValue)."""
        header, body = header_of(envelope), envelope.find(name(SOAP, "Body"))
        security = only(header, WSSE, "Security")
        signature = only(security, DS, "Signature")
        check_fresh(only(security, WSU, "Timestamp"))
        for one in signature.iter(name(DS, "SignatureMethod"), name(DS, "DigestMethod")):
            if one.get("Algorithm") not in ALLOWED:
                raise Refused(f"algorithm {one.get('Algorithm')}")
        confirmations = security.findall(name(WSSE11, "SignatureConfirmation"))
        wanted = [one for one in header if one.tag.startswith("{" + WSA + "}")] + [security.find(name(WSU, "Timestamp")), *confirmations, body]
        check_covered(signature, wanted)
        certificate = self.signer(security, signature)
        context = xmlsec.SignatureContext()
        for one in envelope.iter():
            if name(WSU, "Id") in one.attrib:
                context.register_id(one, "Id", WSU)
        context.key = xmlsec.Key.from_memory(certificate.public_bytes(Encoding.PEM), xmlsec.KeyFormat.CERT_PEM)
        try:
            context.verify(signature)
        except xmlsec.Error as broken:
            raise Refused(f"the signature: {broken}") from broken
        if [base64.b64decode(one.get("Value", "")) for one in confirmations] != ([] if confirmed is None else [confirmed]):
            raise Refused("SignatureConfirmation is missing, wrong, or where none belongs")
        return certificate, base64.b64decode(signature.findtext(name(DS, "SignatureValue")))

    def signer(self, security, signature):
        """The certificate that ds:KeyInfo refers to directly (WUS-108), if one of the CAs issued it and it is valid now."""
        reference = signature.find(f"{name(DS, 'KeyInfo')}/{name(WSSE, 'SecurityTokenReference')}/{name(WSSE, 'Reference')}")
        if reference is None:
            raise Refused("the signing token is not referenced directly")
        tokens = [one for one in security.findall(name(WSSE, "BinarySecurityToken")) if "#" + one.get(name(WSU, "Id"), "") == reference.get("URI")]
        if len(tokens) != 1 or tokens[0].get("ValueType") != X509V3:
            raise Refused("the signing token is not there")
        certificate = x509.load_der_x509_certificate(base64.b64decode(tokens[0].text))
        now = datetime.datetime.now(datetime.timezone.utc)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Refused("the signer's certificate is not valid now")
        for issuer in self.trusted:
            with contextlib.suppress(InvalidSignature, ValueError):  # ValueError: the name of another issuer
                certificate.verify_directly_issued_by(issuer)
                return certificate
        raise Refused("the signer's certificate is of an unknown CA")


def only(parent, namespace, local):
    found = parent.findall(name(namespace, local))
    if len(found) != 1:
        raise Refused(f"{len(found)} {local} in {etree.QName(parent).localname}")
    return found[0]


def timestamp(security, deviation):
    created = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2 * SECONDS_VALID if deviation == "old-timestamp" else 0)
    out = etree.SubElement(security, name(WSU, "Timestamp"))
    for local, when in (("Created", created), ("Expires", created + datetime.timedelta(seconds=SECONDS_VALID))):
        etree.SubElement(out, name(WSU, local)).text = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return out


def check_fresh(found):
    created = datetime.datetime.fromisoformat(only(found, WSU, "Created").text)
    age = (datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()
    if not -SECONDS_FUTURE <= age <= SECONDS_VALID:
        raise Refused(f"the timestamp is {age:.0f} s old")


def check_covered(signature, wanted):
    """Each wanted element itself is referenced, by an Id that no other element has (WUS-105, WUS-112)."""
    references = [one.get("URI") for one in signature.iter(name(DS, "Reference"))]
    root = signature.getroottree().getroot()
    for one in wanted:
        own_id = one.get(name(WSU, "Id"))
        if own_id is None or "#" + own_id not in references:
            raise Refused(f"{etree.QName(one).localname} is not signed")
        if sum(other.get(name(WSU, "Id")) == own_id for other in root.iter()) != 1:
            raise Refused(f"two elements have the Id of {etree.QName(one).localname}")

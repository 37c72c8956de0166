"""The sample service (wus-service/): what it answers. The same in Java: cxf/…/Register.java.

Its answers are functions of the request, so that who asks knows that every octet arrived. Number 00000000 is unknown: the declared fault. Standard library only.
"""
import base64
import dataclasses
import hashlib
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

NAMESPACE = "http://wus.aanbieder.example/xsd/inschrijving-v1"
SERVICE = "http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1"
UNKNOWN = "00000000"
NAME = "Bakkerij \u2018t Stoepje & Zn. \U0001f950"


@dataclasses.dataclass(frozen=True)
class Answer:
    """`fault`: the declared one, whose detail is `xml`. `action` of WS-Addressing."""
    operation: str
    xml: str
    fault: str = ""

    @property
    def action(self):
        return f"{SERVICE}/{self.operation}" + ("/Fault/inschrijvingFout" if self.fault else "Response")


def element(name, *children):
    """@param children (name, text) each; text None is nil."""
    inner = "".join(f'<{one} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>' if text is None else f"<{one}>{escape(text)}</{one}>" for one, text in children)
    return f'<{name} xmlns="{NAMESPACE}">{inner}</{name}>'


def question(number="12345678", date="2026-03-01"):
    return element("vraagInschrijving", ("inschrijfnummer", number), ("peildatum", date))


def report(text, *attachments, number="12345678"):
    return element("meldWijziging", ("inschrijfnummer", number), ("omschrijving", text), *(("bijlage", base64.b64encode(one).decode()) for one in attachments))


def fields(xml):
    """The element of a body as [(name, text)], its own name first: what two writings of one payload have in common."""
    root = ElementTree.fromstring(xml)
    return [(one.tag.removeprefix("{" + NAMESPACE + "}"), "" if len(one) else one.text or "") for one in root.iter()]


def answer(xml):
    """@param xml the element of a request's body. @return Answer."""
    (operation, _), *given = fields(xml)
    values = dict(given)
    if values["inschrijfnummer"] == UNKNOWN:
        return Answer(operation, element("inschrijvingFout", ("code", "ONBEKEND"), ("melding", "Het inschrijfnummer is onbekend")), fault="Inschrijving onbekend")
    if operation == "vraagInschrijving":
        remark = "Peildatum ontvangen" if values.get("peildatum") else None
        return Answer(operation, element("vraagInschrijvingResponse", ("inschrijfnummer", values["inschrijfnummer"]), ("naam", NAME), ("status", "ACTIEF"), ("opmerking", remark)))
    digest = hashlib.sha256(values["omschrijving"].encode())
    for name, text in given:
        if name == "bijlage":
            digest.update(base64.b64decode(text))
    return Answer(operation, element("meldWijzigingResponse", ("ontvangstnummer", digest.hexdigest())))

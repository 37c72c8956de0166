#include "api/openapi_schemas.hpp"

namespace schakel::api {

const std::string_view message_schemas = R"json({
"Problem": {"type": "object", "description": "Fout volgens RFC 9457.", "required": ["type", "code", "status", "title", "detail", "instance"], "properties": {
  "type": {"type": "string", "description": "urn:schakel:problem:<code>"}, "code": {"type": "string", "description": "Vaste code van de fout."},
  "status": {"type": "integer", "description": "HTTP-status."}, "title": {"type": "string", "description": "Korte omschrijving, vast per code."},
  "detail": {"type": "string", "description": "Wat er in dit geval aan de hand is."}, "instance": {"type": "string", "description": "urn:uuid van het verzoek; staat ook in het log."},
  "errors": {"type": "array", "description": "Alle fouten in de invoer tegelijk.", "items": {"$ref": "#/components/schemas/FieldError"}},
  "findings": {"type": "array", "description": "Bevindingen bij een contract.", "items": {"$ref": "#/components/schemas/Finding"}},
  "id": {"type": "string", "description": "Bij message.duplicateId: het bericht dat dit messageId al heeft."}}},
"FieldError": {"type": "object", "required": ["in", "location", "code", "detail"], "properties": {
  "in": {"type": "string", "enum": ["body", "query", "header", "path"]}, "location": {"type": "string", "description": "JSON Pointer of naam."},
  "code": {"type": "string"}, "detail": {"type": "string"}}},
"PayloadSubmit": {"type": "object", "description": "Een payload bij het aanbieden.", "additionalProperties": false, "properties": {
  "contentId": {"type": "string", "maxLength": 255}, "contentType": {"type": "string", "maxLength": 255, "description": "Verplicht bij JSON; bij multipart geldt anders het type van het deel."},
  "fileName": {"type": "string", "maxLength": 255}, "data": {"type": "string", "format": "byte", "description": "Inhoud in base64; alleen bij JSON."}}},
"Payload": {"type": "object", "required": ["index", "contentType", "size", "sha256", "href", "purged"], "properties": {
  "index": {"type": "integer"}, "contentId": {"type": "string"}, "contentType": {"type": "string"}, "fileName": {"type": "string"},
  "size": {"type": "integer", "format": "int64", "description": "Octetten."}, "sha256": {"type": "string", "description": "Hexadecimaal, kleine letters."},
  "href": {"type": "string", "description": "Waar de inhoud te halen is."}, "purged": {"type": "boolean", "description": "De inhoud is opgeruimd."}}},
"MessageSubmit": {"type": "object", "description": "Een bericht om te verzenden. contractId of cpaId wijst het contract aan; anders moeten de overige velden een actief contract aanwijzen.", "additionalProperties": false, "properties": {
  "contractId": {"type": "string"}, "cpaId": {"type": "string"}, "fromOin": {"$ref": "#/components/schemas/Oin"}, "fromRole": {"type": "string"}, "fromPartyId": {"type": "string", "description": "type:waarde; alleen voor partijen zonder OIN."},
  "toOin": {"$ref": "#/components/schemas/Oin"}, "toRole": {"type": "string"}, "toPartyId": {"type": "string"}, "service": {"type": "string"}, "serviceType": {"type": "string"}, "action": {"type": "string"},
  "conversationId": {"type": "string", "maxLength": 255}, "messageId": {"type": "string", "maxLength": 255, "description": "naam@host, zonder witruimte en punthaken; anders maakt Schakel er een."},
  "refToMessageId": {"type": "string", "maxLength": 255, "description": "Het bericht waarop dit een antwoord is."},
  "timeToLive": {"type": "string", "description": "ISO 8601-tijdsduur, hooguit de PersistDuration van het contract."}, "notBefore": {"type": "string", "format": "date-time"},
  "traceparent": {"type": "string", "description": "W3C Trace Context."}, "force": {"type": "boolean", "description": "Verzend ook als refToMessageId hier onbekend is."},
  "labels": {"type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 128}},
  "payloads": {"type": "array", "maxItems": 99, "items": {"$ref": "#/components/schemas/PayloadSubmit"}}}},
"MessageForm": {"type": "object", "description": "Eerst het deel message, dan een deel payload per element van payloads, in die volgorde.", "required": ["message"], "properties": {
  "message": {"$ref": "#/components/schemas/MessageSubmit"}, "payload": {"type": "array", "items": {"type": "string", "format": "binary"}}}},
"Oin": {"type": "string", "pattern": "^[0-9]{8}[0-9A-Z]{9}[0-9]{3}$", "description": "Organisatie-identificatienummer."},
"MessageState": {"type": "string", "enum": ["ACCEPTED", "HELD", "QUEUED", "SENDING", "SENT", "DELIVERED", "FAILED", "EXPIRED", "CANCELLED", "RECEIVED", "OFFERED", "DEAD", "PROCESSED", "REJECTED", "REFUSED", "FORWARDED", "RUNNING", "COMPLETED", "FAULT", "TIMEOUT", "ABORTED"]},
"LastError": {"type": "object", "required": ["code", "detail", "source", "at"], "properties": {"code": {"type": "string"}, "detail": {"type": "string"},
  "source": {"type": "string", "enum": ["local", "transport", "partner"]}, "at": {"type": "string", "format": "date-time"}}},
"Message": {"type": "object", "description": "De beschrijving van een bericht.", "required": ["id", "tenant", "environment", "direction", "protocol", "pattern", "state", "payloads", "attempts", "createdAt", "duplicateCount", "deliveryAttempt"], "properties": {
  "id": {"type": "string", "format": "uuid"}, "tenant": {"type": "string"}, "environment": {"type": "string", "enum": ["production", "test"]}, "direction": {"type": "string", "enum": ["inbound", "outbound"]},
  "protocol": {"type": "string", "enum": ["ebms", "wus", "rest", "gb", "event", "report"]}, "pattern": {"type": "string", "enum": ["request", "oneWay"]}, "profile": {"type": "string"},
  "state": {"$ref": "#/components/schemas/MessageState"}, "stateReason": {"type": "string"},
  "fromOin": {"type": "string"}, "fromPartyId": {"type": "string"}, "fromRole": {"type": "string"}, "toOin": {"type": "string"}, "toPartyId": {"type": "string"}, "toRole": {"type": "string"},
  "contractId": {"type": "string"}, "cpaId": {"type": "string"}, "service": {"type": "string"}, "serviceType": {"type": "string"}, "action": {"type": "string"},
  "conversationId": {"type": "string"}, "messageId": {"type": "string"}, "refToMessageId": {"type": "string"}, "payloads": {"type": "array", "items": {"$ref": "#/components/schemas/Payload"}},
  "attempts": {"type": "integer"}, "nextAttemptAt": {"type": "string", "format": "date-time"}, "lastError": {"$ref": "#/components/schemas/LastError"},
  "createdAt": {"type": "string", "format": "date-time"}, "acceptedAt": {"type": "string", "format": "date-time"}, "sentAt": {"type": "string", "format": "date-time"}, "deliveredAt": {"type": "string", "format": "date-time"},
  "receivedAt": {"type": "string", "format": "date-time"}, "offeredAt": {"type": "string", "format": "date-time"}, "processedAt": {"type": "string", "format": "date-time"}, "finalAt": {"type": "string", "format": "date-time"},
  "expiresAt": {"type": "string", "format": "date-time"}, "lateAcknowledgedAt": {"type": "string", "format": "date-time"}, "notBefore": {"type": "string", "format": "date-time"},
  "duplicateCount": {"type": "integer"}, "deliveryAttempt": {"type": "integer"}, "confirmed": {"type": "boolean", "description": "Bij DELIVERED: de partner heeft de ontvangst bevestigd."},
  "possibleDuplicate": {"type": "boolean"}, "traceparent": {"type": "string"}, "copyOf": {"type": "string", "format": "uuid"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}}},
"TrailEvent": {"type": "object", "description": "Een stap in het spoor van een bericht. seq en de hashes volgen binnen enkele seconden.", "required": ["at", "node", "tenant", "message", "type", "actor"], "properties": {
  "seq": {"type": "integer", "format": "int64"}, "at": {"type": "string", "format": "date-time"}, "node": {"type": "string"}, "tenant": {"type": "string"}, "message": {"type": "string", "format": "uuid"},
  "type": {"type": "string"}, "actor": {"type": "string"}, "wireId": {"type": "string"}, "peer": {"type": "object", "properties": {"oin": {"type": "string"}, "address": {"type": "string"}, "certificateSha256": {"type": "string"}}},
  "code": {"type": "string"}, "detail": {"type": "string"}, "bytes": {"type": "integer", "format": "int64"}, "durationMs": {"type": "integer", "format": "int64"}, "previousHash": {"type": "string"}, "hash": {"type": "string"}}},
"Acknowledgement": {"type": "object", "required": ["result"], "additionalProperties": false, "properties": {"result": {"type": "string", "enum": ["processed", "rejected"]},
  "code": {"type": "string", "maxLength": 64, "description": "Alleen bij rejected."}, "detail": {"type": "string", "maxLength": 500}}},
"OperatorAction": {"type": "object", "required": ["action", "reason"], "additionalProperties": false, "properties": {
  "action": {"type": "string", "enum": ["retryNow", "resend", "cancel", "release", "replay", "requeue", "markProcessed", "purgePayload"]},
  "reason": {"type": "string", "minLength": 3, "maxLength": 500}, "parameters": {"type": "object", "additionalProperties": false, "properties": {"force": {"type": "boolean"}}}}},
"OperatorActionRecord": {"type": "object", "required": ["id", "at", "action", "reason", "actor", "message", "state"], "properties": {"id": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"},
  "action": {"type": "string"}, "reason": {"type": "string"}, "actor": {"type": "string"}, "message": {"type": "string", "format": "uuid"}, "state": {"$ref": "#/components/schemas/MessageState"},
  "copy": {"type": "string", "format": "uuid", "description": "Het nieuwe bericht van een resend."}}},
"QueueMessages": {"type": "object", "required": ["messages"], "properties": {"messages": {"type": "array", "items": {"type": "object", "required": ["receipt", "deliveryAttempt", "message"], "properties": {
  "receipt": {"type": "string"}, "deliveryAttempt": {"type": "integer"}, "replay": {"type": "boolean"}, "message": {"$ref": "#/components/schemas/Message"}}}}}},
"QueueAcknowledgements": {"type": "object", "required": ["items"], "additionalProperties": false, "properties": {"items": {"type": "array", "maxItems": 100, "items": {"type": "object", "required": ["receipt", "result"], "additionalProperties": false, "properties": {
  "receipt": {"type": "string"}, "result": {"type": "string", "enum": ["processed", "rejected", "retry", "extend"]}, "code": {"type": "string", "maxLength": 64}, "detail": {"type": "string", "maxLength": 500},
  "delaySeconds": {"type": "integer", "minimum": 0, "maximum": 86400}, "leaseSeconds": {"type": "integer", "minimum": 10, "maximum": 900}}}}}},
"QueueResults": {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {"type": "object", "required": ["receipt", "result"], "properties": {
  "receipt": {"type": "string"}, "result": {"type": "string", "enum": ["ok", "leaseExpired"]}}}}}},
"MessageEvent": {"type": "object", "description": "Een gebeurtenis die de toepassing nog niet heeft verwerkt.", "required": ["id", "type", "at"], "properties": {"id": {"type": "string", "format": "uuid"}, "type": {"type": "string"}, "at": {"type": "string", "format": "date-time"},
  "message": {"type": "string", "format": "uuid"}, "messageId": {"type": "string"}, "href": {"type": "string"}, "error": {"type": "object", "additionalProperties": true}}}
})json";

const std::string_view contract_schemas = R"json({
"Finding": {"type": "object", "required": ["code", "severity", "path", "message"], "properties": {"code": {"type": "string", "description": "Regel, bijvoorbeeld V20a."},
  "severity": {"type": "string", "enum": ["error", "warning", "info"]}, "path": {"type": "string", "description": "XPath."}, "message": {"type": "string"}}},
"ContractState": {"type": "string", "enum": ["draft", "validated", "active", "suspended", "expired", "retired"]},
"Party": {"type": "object", "properties": {"name": {"type": "string"}, "oin": {"type": "string"}, "partyIds": {"type": "array", "items": {"type": "string"}}, "roles": {"type": "array", "items": {"type": "object", "properties": {
  "role": {"type": "string"}, "service": {"type": "string"}, "serviceType": {"type": "string"}, "actions": {"type": "array", "items": {"type": "object", "properties": {"action": {"type": "string"}, "direction": {"type": "string", "enum": ["send", "receive"]}}}}}}}}},
"ContractSettings": {"type": "object", "description": "Wat het document niet zegt.", "properties": {"authentication": {"type": "string", "enum": ["oin", "exact"]}, "signatureCertificate": {"type": "string", "enum": ["exact", "oin"]},
  "canonicalization": {"type": "string", "enum": ["exclusive", "inclusive"]}, "strictRefToMessageId": {"type": "boolean"}, "dropBestEffortDuplicates": {"type": "boolean"}, "tlsOffloaded": {"type": "boolean"}, "allowLoopback": {"type": "boolean"},
  "largeMessageThreshold": {"type": "integer", "format": "int64"}, "replaces": {"type": "string"}, "partnerInstalled": {"type": "boolean"}}},
"Contract": {"type": "object", "required": ["id", "kind", "cpaId", "digest", "state", "createdAt", "changedAt"], "properties": {"id": {"type": "string"}, "kind": {"type": "string", "enum": ["cpa", "wsdl", "oas", "gb", "fsc"]}, "cpaId": {"type": "string"},
  "digest": {"type": "string", "description": "SHA-256 van het document."}, "state": {"$ref": "#/components/schemas/ContractState"}, "startAt": {"type": "string", "format": "date-time"}, "endAt": {"type": "string", "format": "date-time"}, "status": {"type": "string"},
  "parties": {"type": "array", "items": {"$ref": "#/components/schemas/Party"}}, "settings": {"$ref": "#/components/schemas/ContractSettings"}, "createdAt": {"type": "string", "format": "date-time"}, "changedAt": {"type": "string", "format": "date-time"},
  "retiredAt": {"type": "string", "format": "date-time"}, "formerVersions": {"type": "integer"}, "findings": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}}}},
"ContractPatch": {"type": "object", "required": ["settings"], "additionalProperties": false, "properties": {"settings": {"$ref": "#/components/schemas/ContractSettings"}}},
"Validation": {"type": "object", "required": ["wellFormed", "schemaValid", "profiles", "findings"], "properties": {"wellFormed": {"type": "boolean"}, "schemaValid": {"type": "boolean"}, "profile": {"type": "string"}, "profiles": {"type": "array", "items": {"type": "string"}},
  "cpaId": {"type": "string"}, "startAt": {"type": "string", "format": "date-time"}, "endAt": {"type": "string", "format": "date-time"}, "status": {"type": "string"}, "parties": {"type": "array", "items": {"$ref": "#/components/schemas/Party"}},
  "findings": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}}}},
"Match": {"type": "object", "required": ["others"], "properties": {"chosen": {"type": "object", "properties": {"id": {"type": "string"}, "cpaId": {"type": "string"}, "profile": {"type": "string"}, "sendChannel": {"type": "string"}, "receiveChannel": {"type": "string"}, "url": {"type": "string"}}},
  "reason": {"type": "object", "properties": {"code": {"type": "string"}, "detail": {"type": "string"}}}, "others": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}, "cpaId": {"type": "string"}, "code": {"type": "string"}, "detail": {"type": "string"}}}}}},
"UrlMappingRequest": {"type": "object", "required": ["source", "destination"], "additionalProperties": false, "properties": {"source": {"type": "string", "description": "De URL zoals die in de CPA staat."}, "destination": {"type": "string"}, "cpaId": {"type": "string"}}},
"UrlMapping": {"type": "object", "required": ["id", "source", "destination"], "properties": {"id": {"type": "string"}, "source": {"type": "string"}, "destination": {"type": "string"}, "cpaId": {"type": "string"}, "changedAt": {"type": "string", "format": "date-time"}}},
"CertificateMappingRequest": {"type": "object", "required": ["source", "destination"], "additionalProperties": false, "properties": {"source": {"type": "string", "format": "byte", "description": "DER in base64."}, "destination": {"type": "string", "format": "byte"}, "cpaId": {"type": "string"}}},
"CertificateMapping": {"type": "object", "required": ["id", "issuer", "serial", "destination"], "properties": {"id": {"type": "string"}, "issuer": {"type": "string"}, "serial": {"type": "string"}, "cpaId": {"type": "string"}, "source": {"type": "string"}, "destination": {"type": "string"}, "changedAt": {"type": "string", "format": "date-time"}}},
"MandateRequest": {"type": "object", "required": ["mandatorOin", "mandataryOin", "scope", "validFrom"], "additionalProperties": false, "properties": {"mandatorOin": {"$ref": "#/components/schemas/Oin"}, "mandataryOin": {"$ref": "#/components/schemas/Oin"},
  "scope": {"type": "string", "description": "protocol/service[/action], cpa-register, digimelding/rol, digilevering/rol of *."}, "direction": {"type": "string", "enum": ["inbound", "outbound", "both"]}, "validFrom": {"type": "string", "format": "date-time"}, "validTo": {"type": "string", "format": "date-time"}, "evidence": {"type": "string", "maxLength": 1000}}},
"MandatePatch": {"type": "object", "additionalProperties": false, "properties": {"status": {"type": "string", "enum": ["active", "revoked"]}, "validTo": {"type": "string", "format": "date-time"}, "evidence": {"type": "string", "maxLength": 1000}}},
"Mandate": {"type": "object", "required": ["id", "mandatorOin", "mandataryOin", "scope", "direction", "validFrom", "status"], "properties": {"id": {"type": "string"}, "mandatorOin": {"type": "string"}, "mandataryOin": {"type": "string"}, "scope": {"type": "string"}, "direction": {"type": "string"},
  "validFrom": {"type": "string", "format": "date-time"}, "validTo": {"type": "string", "format": "date-time"}, "status": {"type": "string", "enum": ["active", "revoked"]}, "evidence": {"type": "string"}, "changedAt": {"type": "string", "format": "date-time"}}},
"Partner": {"type": "object", "required": ["oin", "name", "contracts", "endpoints"], "properties": {"oin": {"type": "string"}, "name": {"type": "string"}, "contracts": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}, "cpaId": {"type": "string"}, "state": {"$ref": "#/components/schemas/ContractState"}, "endAt": {"type": "string", "format": "date-time"}}}},
  "endpoints": {"type": "array", "items": {"type": "object", "properties": {"url": {"type": "string"}, "failures": {"type": "integer"}, "circuitOpenUntilAt": {"type": "string", "format": "date-time"}}}}}},
"PingRequest": {"type": "object", "additionalProperties": false, "properties": {"cpaId": {"type": "string"}}},
"PingResult": {"type": "object", "required": ["result", "cpaId", "messageId", "durationMs"], "properties": {"result": {"type": "string", "enum": ["pong"]}, "cpaId": {"type": "string"}, "messageId": {"type": "string"}, "durationMs": {"type": "integer"}}},
"Empty": {"type": "object", "additionalProperties": false}
})json";

const std::string_view operation_schemas = R"json({
"WebhookType": {"type": "string", "enum": ["message.received", "message.delivered", "message.failed", "message.expired", "message.late_acknowledged", "message.dead_lettered", "message.warning", "message.order_blocked", "file.completed", "file.fetched", "file.failed", "file.expired", "file.quarantined", "report.status_changed", "contract.expiring", "certificate.expiring", "notice.published", "webhook.test"]},
"WebhookFilter": {"type": "object", "description": "Lege criteria passen op alles.", "additionalProperties": false, "properties": {"contractId": {"type": "string"}, "cpaId": {"type": "string"}, "fromOin": {"$ref": "#/components/schemas/Oin"}, "toOin": {"$ref": "#/components/schemas/Oin"}, "service": {"type": "string"}, "action": {"type": "string"}}},
"WebhookRequest": {"type": "object", "required": ["url", "types"], "additionalProperties": false, "properties": {"url": {"type": "string", "maxLength": 2048}, "description": {"type": "string", "maxLength": 500}, "types": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/WebhookType"}},
  "filter": {"$ref": "#/components/schemas/WebhookFilter"}, "payloadMode": {"type": "string", "enum": ["thin", "inline"], "default": "thin"}, "confirm": {"type": "string", "enum": ["onAccept", "explicit"], "default": "onAccept"},
  "visibilitySeconds": {"type": "integer", "minimum": 10, "maximum": 86400, "default": 900}, "tls": {"type": "string", "enum": ["none", "oneSided", "twoSided"], "default": "oneSided"}}},
"WebhookChange": {"type": "object", "additionalProperties": false, "properties": {"url": {"type": "string", "maxLength": 2048}, "description": {"type": "string", "maxLength": 500}, "types": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/WebhookType"}},
  "filter": {"$ref": "#/components/schemas/WebhookFilter"}, "payloadMode": {"type": "string", "enum": ["thin", "inline"]}, "confirm": {"type": "string", "enum": ["onAccept", "explicit"]}, "visibilitySeconds": {"type": "integer", "minimum": 10, "maximum": 86400},
  "tls": {"type": "string", "enum": ["none", "oneSided", "twoSided"]}, "enabled": {"type": "boolean"}}},
"Webhook": {"type": "object", "required": ["id", "url", "types", "filter", "payloadMode", "confirm", "visibilitySeconds", "tls", "enabled", "owner", "createdAt", "changedAt"], "properties": {"id": {"type": "string", "format": "uuid"}, "url": {"type": "string"}, "description": {"type": "string"},
  "types": {"type": "array", "items": {"$ref": "#/components/schemas/WebhookType"}}, "filter": {"$ref": "#/components/schemas/WebhookFilter"}, "payloadMode": {"type": "string"}, "confirm": {"type": "string"}, "visibilitySeconds": {"type": "integer"}, "tls": {"type": "string"},
  "enabled": {"type": "boolean"}, "disabledReason": {"type": "string"}, "owner": {"type": "string"}, "createdAt": {"type": "string", "format": "date-time"}, "changedAt": {"type": "string", "format": "date-time"},
  "secret": {"type": "string", "description": "whsec_…; alleen getoond wanneer het gemaakt is."}}},
"WebhookTestResult": {"type": "object", "required": ["event", "ok", "durationMs"], "properties": {"event": {"type": "string"}, "ok": {"type": "boolean"}, "durationMs": {"type": "integer"}, "status": {"type": "integer"}, "error": {"type": "object", "properties": {"code": {"type": "string"}, "detail": {"type": "string"}}}}},
"ApiKeyRequest": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": {"type": "string", "maxLength": 100}, "roles": {"type": "array", "items": {"type": "string"}}, "permissions": {"type": "array", "items": {"type": "string"}, "description": "Rechten naast die van de rollen; payload.read zit in geen rol."},
  "sourceNetworks": {"type": "array", "items": {"type": "string"}, "description": "CIDR; leeg is overal."}, "expiresAt": {"type": "string", "format": "date-time"}}},
"ApiKey": {"type": "object", "required": ["id", "name", "tenant", "environment", "roles", "permissions", "sourceNetworks", "createdAt", "createdBy"], "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string"}, "tenant": {"type": "string"}, "environment": {"type": "string"},
  "roles": {"type": "array", "items": {"type": "string"}}, "permissions": {"type": "array", "items": {"type": "string"}}, "sourceNetworks": {"type": "array", "items": {"type": "string"}}, "createdAt": {"type": "string", "format": "date-time"}, "createdBy": {"type": "string"},
  "expiresAt": {"type": "string", "format": "date-time"}, "revokedAt": {"type": "string", "format": "date-time"}, "token": {"type": "string", "description": "De sleutel zelf; alleen getoond wanneer die gemaakt is."}}},
"Role": {"type": "object", "required": ["name", "scope", "permissions"], "properties": {"name": {"type": "string"}, "scope": {"type": "string", "enum": ["installation", "tenant"]}, "permissions": {"type": "array", "items": {"type": "string"}}}},
"Node": {"type": "object", "required": ["id", "epoch", "heartbeatAt", "draining"], "properties": {"id": {"type": "string"}, "epoch": {"type": "integer", "format": "int64"}, "heartbeatAt": {"type": "string", "format": "date-time"}, "draining": {"type": "boolean"}}},
"NodePatch": {"type": "object", "required": ["draining"], "additionalProperties": false, "properties": {"draining": {"type": "boolean"}}},
"AuditEvents": {"type": "object", "required": ["events"], "properties": {"events": {"type": "array", "items": {"type": "object", "additionalProperties": true, "properties": {"seq": {"type": "integer", "format": "int64"}, "at": {"type": "string", "format": "date-time"}, "kind": {"type": "string"}, "result": {"type": "string"}, "hash": {"type": "string"}}}},
  "nextCursor": {"type": "string", "description": "Geef deze mee als cursor voor het vervolg."}}},
"Certificate": {"type": "object", "additionalProperties": true, "properties": {"sha256": {"type": "string"}, "subject": {"type": "string"}, "issuer": {"type": "string"}}},
"TrustAnchor": {"type": "object", "additionalProperties": true, "properties": {"sha256": {"type": "string"}, "subject": {"type": "string"}}},
"Crl": {"type": "object", "additionalProperties": true, "properties": {"issuer": {"type": "string"}, "url": {"type": "string"}}},
"Setting": {"type": "object", "additionalProperties": true, "properties": {"key": {"type": "string"}, "value": {}, "source": {"type": "string"}}}
})json";

}  // namespace schakel::api

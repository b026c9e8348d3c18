package reply

import "hookgate/internal/bridge"

//go:wasmexport hookgate:plugin/responder@0.1.0#respond
func respond(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) uint32 {
	return bridge.Respond(idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes,
		receivedAtMS, attempt, attributesAt, attributesLength, payloadAt, payloadLength)
}

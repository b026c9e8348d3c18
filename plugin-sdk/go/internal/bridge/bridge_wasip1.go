package bridge

// Respond is what the gateway calls. The package hookgate sets it.
var Respond func(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) uint32

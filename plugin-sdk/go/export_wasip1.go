package hookgate

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"hookgate/internal/bridge"
)

// The records and results of the contract as they lie in memory.
type (
	manifest struct {
		name, version       text
		subscriptions, asks list
	}
	ask struct {
		what, name text
		detail     list
	}
	pairOfTexts struct{ name, value text }
	result      struct {
		failed   uint8
		_        [7]uint8
		retry    uint8
		_        [7]uint8
		why      text
		hasAfter uint8
		_        [7]uint8
		afterMS  uint64
	}
	response struct {
		status  uint16
		_       [2]uint8
		headers list
		body    list
	}
	// answer is a result<answer, failure> that went well. Where it did not, it looks like a result.
	answer struct {
		_      [0]uint64 // It is aligned as a result is.
		failed uint8
		_      [7]uint8
		is     response
		_      [12]uint8
	}
)

var (
	theManifest manifest
	theResult   result
	theAnswer   answer
)

// Both are as large as the contract says.
var _, _ [40]byte = [unsafe.Sizeof(result{})]byte{}, [unsafe.Sizeof(answer{})]byte{}

func init() { bridge.Respond = respond }

//go:wasmexport hookgate:plugin/handler@0.1.0#describe
func describe() uint32 {
	told = nil
	var subscriptions []text
	for _, handler := range plugin.handlers {
		subscriptions = append(subscriptions, tell(handler.pattern))
	}
	var asks []ask
	for _, wanted := range plugin.asks {
		what, name := wanted.whatAndName()
		asks = append(asks, ask{tell(what), tell(name), tellPairs(wanted.detail())})
	}
	for _, responder := range plugin.responders {
		asks = append(asks, ask{tell("reply"), tell(responder.pattern), list{}})
	}
	theManifest = manifest{tell(plugin.name), tell(plugin.version), tellAll(subscriptions), tellAll(asks)}
	return address(unsafe.Pointer(&theManifest))
}

//go:wasmexport hookgate:plugin/handler@0.1.0#handle
func handle(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) uint32 {
	event := takeEvent(idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes,
		receivedAtMS, attempt, attributesAt, attributesLength, payloadAt, payloadLength)
	err := guarded(func() error { return Handle(event) })
	told = nil
	theResult = resultOf(err)
	return address(unsafe.Pointer(&theResult))
}

// respond is exported by the package hookgate/reply.
func respond(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) uint32 {
	event := takeEvent(idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes,
		receivedAtMS, attempt, attributesAt, attributesLength, payloadAt, payloadLength)
	var given Answer
	err := guarded(func() (err error) {
		given, err = Respond(event)
		return err
	})
	told = nil
	if err != nil {
		theResult = resultOf(err)
		return address(unsafe.Pointer(&theResult))
	}
	theAnswer.is.status, theAnswer.is.headers = uint16(given.Status), tellPairs(given.Headers)
	theAnswer.is.body = tellAll(given.Body)
	return address(unsafe.Pointer(&theAnswer))
}

func takeEvent(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) Event {
	defer release()
	return Event{
		ID:         text{idAt, idBytes}.take(),
		Source:     text{sourceAt, sourceBytes}.take(),
		Provider:   text{providerAt, providerBytes}.take(),
		Type:       text{typeAt, typeBytes}.take(),
		ReceivedAt: time.UnixMilli(int64(receivedAtMS)).UTC(),
		Attempt:    int(attempt),
		Attributes: takeAttributes(list{attributesAt, attributesLength}),
		Payload:    list{payloadAt, payloadLength}.take(),
	}
}

func takeAttributes(attributes list) map[string]string {
	taken := make(map[string]string, attributes.length)
	for _, attribute := range takeAll[pairOfTexts](attributes) {
		taken[attribute.name.take()] = attribute.value.take()
	}
	return taken
}

func resultOf(err error) result {
	if err == nil {
		return result{}
	}
	failed := failureOf(err)
	it := result{failed: 1, why: tell(failed.why)}
	if !failed.reject {
		it.retry = 1
	}
	if failed.after != nil {
		it.hasAfter, it.afterMS = 1, uint64(failed.after.Milliseconds())
	}
	return it
}

// guarded runs a handler. A panic is told in the log, and then the instance ends.
func guarded(handler func() error) error {
	defer func() {
		if cause := recover(); cause != nil {
			slog.Error(fmt.Sprint("panic: ", cause))
			for line := range strings.Lines(string(debug.Stack())) {
				slog.Debug(strings.TrimSpace(line))
			}
			runtime.Breakpoint() // In WebAssembly it is an instruction that traps.
		}
	}()
	return handler()
}

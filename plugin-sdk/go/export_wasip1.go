package hookgate

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"
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
)

var (
	theManifest manifest
	theResult   result
)

//go:wasmexport hookgate:plugin/handler@0.1.0#describe
func describe() uint32 {
	told = nil
	var subscriptions []text
	for _, handler := range plugin.handlers {
		subscriptions = append(subscriptions, tell(handler.pattern))
	}
	var asks []ask
	for _, wanted := range plugin.asks {
		detail := []pairOfTexts{{tell("about"), tell(wanted.About)}}
		if !wanted.Required {
			detail = append(detail, pairOfTexts{tell("default"), tell(wanted.Default)})
		}
		asks = append(asks, ask{tell("setting"), tell(wanted.Setting), tellAll(detail)})
	}
	theManifest = manifest{tell(plugin.name), tell(plugin.version), tellAll(subscriptions), tellAll(asks)}
	return address(unsafe.Pointer(&theManifest))
}

//go:wasmexport hookgate:plugin/handler@0.1.0#handle
func handle(
	idAt, idBytes, sourceAt, sourceBytes, providerAt, providerBytes, typeAt, typeBytes uint32,
	receivedAtMS uint64, attempt, attributesAt, attributesLength, payloadAt, payloadLength uint32,
) uint32 {
	event := Event{
		ID:         text{idAt, idBytes}.take(),
		Source:     text{sourceAt, sourceBytes}.take(),
		Provider:   text{providerAt, providerBytes}.take(),
		Type:       text{typeAt, typeBytes}.take(),
		ReceivedAt: time.UnixMilli(int64(receivedAtMS)).UTC(),
		Attempt:    int(attempt),
		Attributes: takeAttributes(list{attributesAt, attributesLength}),
		Payload:    list{payloadAt, payloadLength}.take(),
	}
	release()
	told = nil
	theResult = resultOf(guarded(event))
	return address(unsafe.Pointer(&theResult))
}

func takeAttributes(attributes list) map[string]string {
	taken := make(map[string]string, attributes.length)
	if attributes.length > 0 {
		for _, attribute := range unsafe.Slice((*pairOfTexts)(pointer(attributes.at)), attributes.length) {
			taken[attribute.name.take()] = attribute.value.take()
		}
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

// guarded runs the handler. A panic is told in the log, and then the instance ends.
func guarded(event Event) error {
	defer func() {
		if cause := recover(); cause != nil {
			slog.Error(fmt.Sprint("panic: ", cause))
			for line := range strings.Lines(string(debug.Stack())) {
				slog.Debug(strings.TrimSpace(line))
			}
			runtime.Breakpoint() // In WebAssembly it is an instruction that traps.
		}
	}()
	return Handle(event)
}

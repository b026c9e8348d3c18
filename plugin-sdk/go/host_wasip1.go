package hookgate

import (
	"strings"
	"structs"
	"time"
	"unsafe"
)

//go:wasmimport hookgate:plugin/log@0.1.0 log
//go:noescape
func hostLog(level uint32, message string)

//go:wasmimport hookgate:plugin/settings@0.1.0 get
func getSetting(key string, into *optionalText)

// optionalText is an option<string>.
type optionalText struct {
	_     structs.HostLayout
	some  uint8
	at    uint32
	bytes uint32
}

// foundSetting is not on a stack: stacks may move while the host asks for memory.
var foundSetting optionalText

func hostSetting(key string) (string, bool) {
	getSetting(strings.ToValidUTF8(key, "\uFFFD"), &foundSetting)
	if foundSetting.some == 0 {
		return "", false
	}
	value := text{foundSetting.at, foundSetting.bytes}.take()
	release()
	return value, true
}

//go:wasmimport hookgate:plugin/state@0.1.0 get
func getState(key string, into *came)

//go:wasmimport hookgate:plugin/state@0.1.0 set
func setState(key, value string, hasKeep bool, keepMS uint64, into *came)

//go:wasmimport hookgate:plugin/state@0.1.0 delete
func deleteState(key string, into *came)

//go:wasmimport hookgate:plugin/state@0.1.0 keys
func listState(prefix string, hasAfter bool, after string, limit uint32, into *came)

//go:wasmimport hookgate:plugin/state@0.1.0 increment
func incrementState(key string, by int64, into *sumCame)

//go:wasmimport hookgate:plugin/state@0.1.0 compare-and-set
func compareAndSetState(key string, hasExpected bool, expected, value string, hasKeep bool, keepMS uint64, into *came)

//go:wasmimport hookgate:plugin/http@0.1.0 send
func send(
	method, url string, headersAt, headersLength uint32, body string, hasTimeout bool, timeoutMS uint64, into *came,
)

//go:wasmimport hookgate:plugin/events@0.1.0 emit
func emit(eventType, payload string, attributesAt, attributesLength uint32, into *came)

// came is what most of these functions give: a result<_, error>, a result<option<list<u8>>, error>, and so on. What came
// and what went wrong both begin at 4.
type came struct {
	_      structs.HostLayout
	failed uint8
	_      [3]uint8
	is     [5]uint32
}

// sumCame is a result<s64, error>, of which both begin at 8.
type sumCame struct {
	_      structs.HostLayout
	failed uint8
	_      [7]uint8
	sum    int64
	more   uint64
}

// As foundSetting, these are not on a stack.
var (
	lastCame    came
	lastSumCame sumCame
)

// err is what went wrong, if anything did.
func (c came) err() error {
	if c.failed == 0 {
		return nil
	}
	return &Error{Kind(uint8(c.is[0])), text{c.is[1], c.is[2]}.take()}
}

func (c sumCame) err() error {
	if c.failed == 0 {
		return nil
	}
	return &Error{Kind(uint8(c.sum)), text{uint32(c.sum >> 32), uint32(c.more)}.take()}
}

// asText has the bytes of a slice passed as those of a string are.
func asText(bytes []byte) string { return unsafe.String(unsafe.SliceData(bytes), len(bytes)) }

func hostGet(key string) ([]byte, bool, error) {
	defer release()
	getState(key, &lastCame)
	came := lastCame
	if err := came.err(); err != nil || uint8(came.is[0]) == 0 {
		return nil, false, err
	}
	return list{came.is[1], came.is[2]}.take(), true, nil
}

func hostSet(key string, value []byte, keep time.Duration) error {
	defer release()
	keepMS, hasKeep := milliseconds(keep)
	setState(key, asText(value), hasKeep, keepMS, &lastCame)
	return lastCame.err()
}

func hostDelete(key string) error {
	defer release()
	deleteState(key, &lastCame)
	return lastCame.err()
}

func hostKeys(prefix, after string, limit uint32) ([]string, error) {
	defer release()
	listState(prefix, after != "", after, limit, &lastCame)
	came := lastCame
	if err := came.err(); err != nil {
		return nil, err
	}
	var keys []string
	for _, key := range takeAll[text](list{came.is[0], came.is[1]}) {
		keys = append(keys, key.take())
	}
	return keys, nil
}

func hostIncrement(key string, by int64) (int64, error) {
	defer release()
	incrementState(key, by, &lastSumCame)
	came := lastSumCame
	if err := came.err(); err != nil {
		return 0, err
	}
	return came.sum, nil
}

func hostCompareAndSet(key string, expected, value []byte, keep time.Duration) (bool, error) {
	defer release()
	keepMS, hasKeep := milliseconds(keep)
	compareAndSetState(key, expected != nil, asText(expected), asText(value), hasKeep, keepMS, &lastCame)
	came := lastCame
	if err := came.err(); err != nil {
		return false, err
	}
	return uint8(came.is[0]) != 0, nil
}

func hostSend(request Request) (*Response, error) {
	defer release()
	headers := tellPairs(request.Headers)
	timeoutMS, hasTimeout := milliseconds(request.Timeout)
	send(request.Method, request.URL, headers.at, headers.length, asText(request.Body), hasTimeout, timeoutMS, &lastCame)
	told = nil
	came := lastCame
	if err := came.err(); err != nil {
		return nil, err
	}
	response := &Response{Status: int(uint16(came.is[0])), Body: list{came.is[3], came.is[4]}.take()}
	for _, header := range takeAll[pairOfTexts](list{came.is[1], came.is[2]}) {
		response.Headers = append(response.Headers, [2]string{header.name.take(), header.value.take()})
	}
	return response, nil
}

func hostEmit(eventType string, payload []byte, attributes [][2]string) error {
	defer release()
	pairs := tellPairs(attributes)
	emit(eventType, asText(payload), pairs.at, pairs.length, &lastCame)
	told = nil
	return lastCame.err()
}

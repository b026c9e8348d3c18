package hookgate

import (
	"strings"
	"structs"
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

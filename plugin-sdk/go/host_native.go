//go:build !wasip1

package hookgate

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"hookgate/internal/native"
)

func hostLog(level uint32, message string) { native.Log(level, message) }

func hostSetting(key string) (string, bool) { return native.Setting(key) }

// powers are what stands in for the gateway's, in a test: see hookgatetest.
type powers interface {
	Get(key string) ([]byte, bool, error)
	Set(key string, value []byte, keep time.Duration) error
	Delete(key string) error
	Keys(prefix, after string, limit uint32) ([]string, error)
	Increment(key string, by int64) (int64, error)
	CompareAndSet(key string, expected, value []byte, keep time.Duration) (bool, error)
	Send(request Request) (*Response, error)
	Emit(eventType string, payload []byte, attributes [][2]string) error
}

// granted are the powers, if the plugin asks for what it is about to use.
func granted(what, advice string, covers func(Ask) bool) (powers, error) {
	given, ok := native.Powers().(powers)
	if !ok {
		return nil, &Error{Denied, "nobody stands in for the gateway: hookgatetest.Gateway"}
	}
	for _, ask := range plugin.asks {
		if is, _ := ask.whatAndName(); is == what && covers(ask) {
			return given, nil
		}
	}
	return nil, &Error{Denied, "the plugin does not ask for it: " + advice}
}

func remembering() (powers, error) {
	return granted("state", "hookgate.Ask{State: true}", func(Ask) bool { return true })
}

func hostGet(key string) ([]byte, bool, error) {
	given, err := remembering()
	if err != nil {
		return nil, false, err
	}
	return given.Get(key)
}

func hostSet(key string, value []byte, keep time.Duration) error {
	given, err := remembering()
	if err != nil {
		return err
	}
	return given.Set(key, value, keep)
}

func hostDelete(key string) error {
	given, err := remembering()
	if err != nil {
		return err
	}
	return given.Delete(key)
}

func hostKeys(prefix, after string, limit uint32) ([]string, error) {
	given, err := remembering()
	if err != nil {
		return nil, err
	}
	return given.Keys(prefix, after, limit)
}

func hostIncrement(key string, by int64) (int64, error) {
	given, err := remembering()
	if err != nil {
		return 0, err
	}
	return given.Increment(key, by)
}

func hostCompareAndSet(key string, expected, value []byte, keep time.Duration) (bool, error) {
	given, err := remembering()
	if err != nil {
		return false, err
	}
	return given.CompareAndSet(key, expected, value, keep)
}

func hostSend(request Request) (*Response, error) {
	address, err := url.Parse(request.URL)
	if err != nil || address.Hostname() == "" {
		return nil, &Error{Invalid, request.URL + " is no URL of a host"}
	}
	host := address.Hostname()
	given, err := granted("host", "hookgate.Ask{Host: \""+host+"\"} for "+request.Method, func(ask Ask) bool {
		return ask.coversHost(host) && (ask.Methods == "" || slices.Contains(strings.Fields(ask.Methods), request.Method))
	})
	if err != nil {
		return nil, err
	}
	return given.Send(request)
}

// coversHost says whether a host is one that an ask means.
func (a Ask) coversHost(host string) bool {
	below, isBelow := strings.CutPrefix(a.Host, "*")
	return a.Host == host || isBelow && strings.HasSuffix(host, below)
}

func hostEmit(eventType string, payload []byte, attributes [][2]string) error {
	advice := "hookgate.Ask{Emit: \"" + eventType + "\"}"
	given, err := granted("emit", advice, func(ask Ask) bool { return glob(ask.Emit, eventType) })
	if err != nil {
		return err
	}
	return given.Emit(eventType, payload, attributes)
}

// Package native stands in for the gateway where a plugin is tested.
package native

import (
	"fmt"
	"os"
	"sync"
)

var levels = [...]string{"trace", "debug", "info", "warn", "error"}

var (
	mutex   sync.Mutex
	granted map[string]string
	powers  any
	lines   []string
)

// Begin grants settings and forgets what was logged.
func Begin(settings map[string]string) { BeginWith(settings, nil) }

// BeginWith also gives what stands in for the gateway's powers.
func BeginWith(settings map[string]string, standIn any) {
	mutex.Lock()
	defer mutex.Unlock()
	granted, powers, lines = settings, standIn, nil
}

// End takes all of it back and says what was logged.
func End() []string {
	mutex.Lock()
	defer mutex.Unlock()
	logged := lines
	granted, powers, lines = nil, nil, nil
	return logged
}

// Powers is what stands in for the gateway's.
func Powers() any {
	mutex.Lock()
	defer mutex.Unlock()
	return powers
}

// Log keeps a line, and shows it where tests show their output.
func Log(level uint32, message string) {
	mutex.Lock()
	defer mutex.Unlock()
	line := levels[level] + ": " + message
	fmt.Fprintln(os.Stderr, line)
	lines = append(lines, line)
}

// Setting is what was granted under a key.
func Setting(key string) (string, bool) {
	mutex.Lock()
	defer mutex.Unlock()
	value, ok := granted[key]
	return value, ok
}

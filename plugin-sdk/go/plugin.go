// Package hookgate is for writing plugins for the webhook gateway Hookgate.
//
//	package main
//
//	import (
//		"log/slog"
//
//		"hookgate"
//	)
//
//	func init() {
//		hookgate.Plugin("file-ready", "0.1.0")
//		hookgate.On("file.ready", func(e hookgate.Event) error {
//			slog.Info("file " + e.ResourceID() + " is ready for processing")
//			return nil
//		})
//	}
//
//	func main() {}
//
// A handler that returns nil has done its work. [Reject] says that it never can, [RetryAfter] that it may later; any
// other error is a retry too. A panic ends the call, and the delivery is tried again.
//
// What is written with log/slog and log becomes lines in the gateway's log.
//
// An event may come more than once, always with the same ID. Nothing that a plugin keeps in memory may be relied on to
// be there at the next event, nor to be gone.
//
// Handlers can be tested natively, without a gateway: see the package hookgatetest.
package hookgate

// Ask is a setting that the operator is asked to grant.
type Ask struct {
	// Setting is the key that it is read by.
	Setting string
	// About is a sentence for the operator.
	About string
	// Default is used where nothing is granted.
	Default string
	// Required means that there is no default: the plugin does not run until the setting is granted.
	Required bool
}

// plugin is what the program said about itself.
var plugin struct {
	name, version string
	asks          []Ask
	handlers      []handler
}

type handler struct {
	pattern string
	handle  func(Event) error
}

// Plugin says what the plugin is called, its version, and which settings it asks for. Call it in an init function.
func Plugin(name, version string, asks ...Ask) {
	plugin.name, plugin.version, plugin.asks = name, version, asks
}

// On subscribes to the events that a pattern means. Call it in an init function, once for each pattern; several patterns
// may have the same handler. An event goes to the first handler whose pattern matches it.
//
// A pattern is a type (file.ready), or the name of a source or a provider and a type (github:push). In the type, *
// stands for any characters, dots and none included.
func On(pattern string, handle func(Event) error) {
	plugin.handlers = append(plugin.handlers, handler{pattern, handle})
}

// Handle gives an event to the first handler whose pattern matches it. The gateway's calls end up here.
func Handle(event Event) error {
	for _, handler := range plugin.handlers {
		if matches(handler.pattern, event) {
			return handler.handle(event)
		}
	}
	return Reject("no handler for " + event.Type)
}

// Setting is what the operator granted under a key, or else the default. Settings cannot be read in init functions.
func Setting(key string) string {
	value, _ := LookupSetting(key)
	return value
}

// LookupSetting is like [Setting] and says whether there is such a setting.
func LookupSetting(key string) (string, bool) {
	if value, ok := hostSetting(key); ok {
		return value, true
	}
	for _, ask := range plugin.asks {
		if ask.Setting == key && !ask.Required {
			return ask.Default, true
		}
	}
	return "", false
}

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
// A plugin may remember ([State]), ask other hosts ([Send]), make events ([Emit]) and answer senders (the package
// hookgate/reply). It says so by an [Ask], and the operator grants it.
//
// What is written with log/slog and log becomes lines in the gateway's log.
//
// An event may come more than once, always with the same ID. Nothing that a plugin keeps in memory may be relied on to
// be there at the next event, nor to be gone.
//
// Handlers can be tested natively, without a gateway: see the package hookgatetest.
package hookgate

// Ask is something that the operator is asked to grant: a setting, a host, the state, or events to make. Say one of
// Setting, Host, State and Emit.
type Ask struct {
	// Setting is the key that a setting is read by.
	Setting string
	// Default of a setting is used where nothing is granted.
	Default string
	// Required means that a setting has no default: the plugin does not run until it is granted.
	Required bool
	// Type of a setting is text, integer, number, boolean or json. Without one it is text.
	Type string

	// Host is where requests go to: api.example.com, *.example.com for all below it, or * for those that the operator
	// names.
	Host string
	// Methods are those that the host will be asked by: GET POST.
	Methods string
	// Credential is bearer, basic or header, if the operator has to give one for the host.
	Credential string

	// State asks for [State].
	State bool

	// Emit is a pattern of the types of events to make.
	Emit string

	// About is a sentence for the operator.
	About string
	// Optional means that the plugin runs without it too. It says nothing of a setting.
	Optional bool
}

// whatAndName are what is asked for, as the contract calls it.
func (a Ask) whatAndName() (what, name string) {
	switch {
	case a.Host != "":
		return "host", a.Host
	case a.State:
		return "state", ""
	case a.Emit != "":
		return "emit", a.Emit
	}
	return "setting", a.Setting
}

// detail is what is said about it. What is not said is left out.
func (a Ask) detail() [][2]string {
	var said [][2]string
	say := func(name, value string, is bool) {
		if is {
			said = append(said, [2]string{name, value})
		}
	}
	what, _ := a.whatAndName()
	say("about", a.About, a.About != "")
	say("default", a.Default, what == "setting" && !a.Required)
	say("type", a.Type, a.Type != "")
	say("methods", a.Methods, a.Methods != "")
	say("credential", a.Credential, a.Credential != "")
	say("optional", "true", a.Optional)
	return said
}

// plugin is what the program said about itself.
var plugin struct {
	name, version string
	asks          []Ask
	handlers      []handler
	responders    []responder
}

type handler struct {
	pattern string
	handle  func(Event) error
}

// Plugin says what the plugin is called, its version, and what it asks for. Call it in an init function.
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
		if what, name := ask.whatAndName(); what == "setting" && name == key && !ask.Required {
			return ask.Default, true
		}
	}
	return "", false
}

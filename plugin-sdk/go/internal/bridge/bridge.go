// Package bridge is where the package hookgate/reply reaches into hookgate. It is a package of its own so that only a
// plugin that answers senders exports what answers them.
package bridge

// On registers a func(hookgate.Event) (hookgate.Answer, error) for a pattern. The package hookgate sets it.
var On func(pattern string, respond any)

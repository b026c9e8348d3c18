package hookgate

import "hookgate/internal/bridge"

// Answer is what the sender of an event is answered that waits for it: see the package hookgate/reply.
type Answer struct {
	// Status is 200 where it is 0.
	Status  int
	Headers Headers
	Body    []byte
}

type responder struct {
	pattern string
	respond func(Event) (Answer, error)
}

func init() {
	bridge.On = func(pattern string, respond any) {
		plugin.responders = append(plugin.responders, responder{pattern, respond.(func(Event) (Answer, error))})
	}
}

// Respond gives an event to the first responder whose pattern matches it. The gateway's calls end up here.
func Respond(event Event) (Answer, error) {
	for _, responder := range plugin.responders {
		if matches(responder.pattern, event) {
			answer, err := responder.respond(event)
			if answer.Status == 0 {
				answer.Status = 200
			}
			return answer, err
		}
	}
	return Answer{}, Reject("no responder for " + event.Type)
}

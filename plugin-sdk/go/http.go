package hookgate

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Headers are the headers of a request, a response or an answer: Headers{{"accept", "text/plain"}}.
type Headers [][2]string

// Get is the first header of a name, in capitals or not; "" where there is none.
func (h Headers) Get(name string) string {
	if values := h.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values are all headers of a name, in capitals or not.
func (h Headers) Values(name string) []string {
	var values []string
	for _, header := range h {
		if strings.EqualFold(header[0], name) {
			values = append(values, header[1])
		}
	}
	return values
}

// Request is a request to a host that the operator granted. Ask for the host with Ask{Host: "api.example.com"}.
type Request struct {
	// Method is GET where it is empty.
	Method string
	// URL is a whole one: https://api.example.com/v1/things?x=y.
	URL string
	// Headers are yours. The gateway adds its credential for this host, if it was given one, in place of yours.
	Headers Headers
	Body    []byte
	// JSON is a body that is written as JSON, in place of Body.
	JSON any
	// Timeout is for all of it; at most, and without it, what the operator allows.
	Timeout time.Duration
}

// Response is what came back.
type Response struct {
	Status  int
	Headers Headers
	Body    []byte
}

// Send sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed.
// Where there is no answer, the error is an [*Error].
func Send(request Request) (*Response, error) {
	if request.Method == "" {
		request.Method = "GET"
	}
	if request.JSON != nil {
		body, err := json.Marshal(request.JSON)
		if err != nil {
			return nil, &Error{Invalid, err.Error()}
		}
		request.Body, request.JSON = body, nil
		request.Headers = request.Headers.withType("application/json")
	}
	if err := checkText("a method or URL", request.Method, request.URL); err != nil {
		return nil, err
	}
	for _, header := range request.Headers {
		if err := checkText("a header", header[0], header[1]); err != nil {
			return nil, err
		}
	}
	return hostSend(request)
}

// withType are the headers with a content type, if they have none yet.
func (h Headers) withType(contentType string) Headers {
	if len(h.Values("content-type")) > 0 {
		return h
	}
	return append(Headers{{"content-type", contentType}}, h...)
}

// OK says whether it went well: a status from 200 to 299.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status <= 299 }

// Text is the body as text. Where it is not UTF-8 it is an error.
func (r *Response) Text() (string, error) {
	if !utf8.Valid(r.Body) {
		return "", errors.New("the answer is not UTF-8")
	}
	return string(r.Body), nil
}

// JSON reads the body into what a pointer points to. What does not fit is an error, and so a retry: the next answer may
// be another.
func (r *Response) JSON(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return errors.New("the answer is not the JSON that was expected: " + err.Error())
	}
	return nil
}

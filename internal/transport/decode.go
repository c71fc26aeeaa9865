package transport

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
)

const (
	maxErrorBody = 64 << 10 // of an answer that is not a success
	maxTrust     = 1 << 20  // of a Content-Length, before the bytes are there
)

// ErrTooLarge means that the decoded body is over the cap.
var ErrTooLarge = errors.New("the answer is larger than the limit")

// ErrNoContent means that the status says that there is no body.
var ErrNoContent = errors.New("the answer has no content")

// DecodeError wraps an error of a call's Decode: the body was read whole.
type DecodeError struct {
	Err        error
	MayPass    bool // another attempt may get a better answer: the JSON ends too early, or it is a gateway's page
	StatusCode int  // of the answer, set by this package, as is Header
	Header     http.Header
}

func (e *DecodeError) Error() string { return "answer not understood" }
func (e *DecodeError) Unwrap() error { return e.Err }

// read reads a whole body of at most limit bytes. A larger one is an error:
// io.LimitReader alone would truncate it silently.
func read(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, ErrTooLarge
	}
	if resp.ContentLength > 0 && resp.ContentLength <= maxTrust {
		b := make([]byte, resp.ContentLength)
		if _, err := io.ReadFull(resp.Body, b); err != nil {
			return b, err
		}
		return b, atEnd(resp.Body)
	}
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(io.LimitReader(resp.Body, min(limit, math.MaxInt64-1)+1)); err != nil {
		return nil, err
	}
	if int64(buffer.Len()) > limit {
		return nil, ErrTooLarge
	}
	return buffer.Bytes(), nil
}

// atEnd reads a body to its end after all its bytes have come. HTTP/2 sends the end
// in a frame of its own; closing before it resets the stream, which servers log as
// an abort.
func atEnd(body io.Reader) error {
	var more [1]byte
	for {
		n, err := body.Read(more[:])
		switch {
		case n > 0:
			return errLonger
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

var errLonger = errors.New("the body is longer than its Content-Length")

// discard reads the little that is left, so that the connection can be used again, and
// closes the body.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxErrorBody)
	_ = body.Close()
}

// prefix takes the start of an error's body and closes it.
func prefix(body io.ReadCloser) []byte {
	b, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	discard(body)
	return b
}

package truliootest

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strconv"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// cutKind says what happens inside of a body.
type cutKind int

const (
	cutNone cutKind = iota
	cutReset
	cutClose
	cutChunked
	cutTruncate
	cutStall
)

// shapedWriter changes the headers and the body of an answer on their way out.
type shapedWriter struct {
	http.ResponseWriter
	effect Effect
	left   int64 // bytes before the cut
	begun  bool
	past   bool // the cut has been made
	done   context.Context
}

// Unwrap lets http.ResponseController flush and hijack.
func (w *shapedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sets the effect's headers and fits Content-Length to the cut.
func (w *shapedWriter) WriteHeader(status int) {
	w.begun = true
	header := w.Header()
	for name, values := range w.effect.header {
		if values[0] == "" {
			header.Del(name)
		} else {
			header[name] = values
		}
	}
	switch w.effect.cut {
	case cutChunked:
		header.Del("Content-Length")
	case cutTruncate:
		length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
		if err == nil && length > w.left {
			header.Set("Content-Length", strconv.FormatInt(w.left, 10))
		}
	case cutNone, cutReset, cutClose, cutStall:
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write passes the bytes before the cut, makes the cut, and passes the rest if
// there is to be one.
func (w *shapedWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.effect.cut == cutNone {
		return w.ResponseWriter.Write(p)
	}
	if w.past {
		return w.rest(p)
	}
	if int64(len(p)) <= w.left {
		n, err := w.ResponseWriter.Write(p)
		w.left -= int64(n)
		return n, err
	}
	n, err := w.ResponseWriter.Write(p[:w.left])
	if err != nil {
		return n, err
	}
	w.past = true
	w.makeCut()
	more, err := w.rest(p[n:])
	return n + more, err
}

func (w *shapedWriter) makeCut() {
	if w.effect.cut == cutTruncate {
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	switch w.effect.cut {
	case cutReset:
		resetConnection(w.ResponseWriter)
	case cutStall:
		if w.effect.pause > 0 && transport.Wait(w.done, w.effect.pause) {
			return
		}
		<-w.done.Done()
	case cutNone, cutTruncate, cutClose, cutChunked:
	}
	panic(http.ErrAbortHandler)
}

// rest is the part after the cut: nothing, or all of it after a stall.
func (w *shapedWriter) rest(p []byte) (int, error) {
	if w.effect.cut == cutTruncate {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// GzipBomb answers with a gzipped JSON string of about size bytes, a thousandth
// of that on the wire. The members of the gzip are made once and repeated.
func GzipBomb(size int64) Effect {
	const block = 1 << 20
	opening, blank, closing := gzipped([]byte(`{"data":"`)), gzipped(bytes.Repeat([]byte{' '}, block)), gzipped([]byte(`"}`))
	return Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, err := w.Write(opening)
		for left := size; left > 0 && err == nil; left -= block {
			_, err = w.Write(blank)
		}
		_, _ = w.Write(closing)
	})
}

func gzipped(p []byte) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, _ = zip.Write(p)
	_ = zip.Close()
	return out.Bytes()
}

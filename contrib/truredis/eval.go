package truredis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// The limits of a request to Redis, with all its retries. A call of the API waits for
// it, but can also get a token by itself. An event waits for it, too: after the limit it
// runs without a claim, and its handler has set a shorter one.
const (
	tokenTimeout = time.Second
	eventTimeout = 5 * time.Second
)

// script is in Lua. It is sent whole each time: it is short, and its digest would
// be a SHA-1, which FIPS 140 mode does not have.
type script string

// eval runs a script, which answers with strings. It waits no longer than the timeout;
// go-redis itself obeys a context only if its options say so. The error is a *failure.
func eval(ctx context.Context, timeout time.Duration, client redis.UniversalClient, step string, lua script, keys []string, args ...any) ([]string, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	said, err := guard.Do(limited, func() ([]string, error) {
		said, err := client.Eval(limited, string(lua), keys, args...).StringSlice()
		if err == nil && len(said) == 0 {
			err = errEmpty
		}
		return said, err
	}, nil)
	if err != nil {
		return nil, &failure{step: step, reason: reasonOf(err), err: err}
	}
	return said, nil
}

var errEmpty = errors.New("truredis: empty answer")

// failure means that Redis failed. It prints constants only, since a server's text can
// repeat the arguments.
type failure struct {
	step, reason string
	err          error
}

// Error names the step and a constant reason.
func (f *failure) Error() string { return "truredis: " + f.step + ": " + f.reason }

// Unwrap gives the error of go-redis.
func (f *failure) Unwrap() error { return f.err }

// Format prints Error for every verb, %#v included.
func (f *failure) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.Error()) }

// LogValue is Error, for slog.
func (f *failure) LogValue() slog.Value { return slog.StringValue(f.Error()) }

// reasonOf says in a few words of our own what went wrong.
func reasonOf(err error) string {
	if said, ok := errors.AsType[redis.Error](err); ok {
		return "Redis answered " + errorCode(said.Error())
	}
	network, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && network.Timeout():
		return "Redis did not answer in time"
	case ok, errors.Is(err, io.EOF):
		return "no connection to Redis"
	}
	return "failed: see the wrapped error"
}

// errorCode is the word in capitals that Redis begins an error with, such as WRONGPASS.
func errorCode(text string) string {
	code, _, _ := strings.Cut(text, " ")
	if code == "" || len(code) > 20 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "with an error"
	}
	return code
}

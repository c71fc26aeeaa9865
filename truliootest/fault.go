package truliootest

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// Fault is a rule of Server.Fail.
type Fault struct {
	list      *faultList
	operation Operation
	effect    Effect

	path   string
	skip   int
	times  int // 0 means for ever
	every  int
	chance *rand.Rand // nil means always
	below  float64

	seen, hits int
}

// When narrows down which requests a fault strikes.
type When func(*Fault)

// Times ends the fault after n hits.
func Times(n int) When { return func(f *Fault) { f.times = n } }

// Skip lets the first n requests pass.
func Skip(n int) When { return func(f *Fault) { f.skip = n } }

// Nth strikes the n-th request only, counted from 1.
func Nth(n int) When { return func(f *Fault) { f.skip, f.times = n-1, 1 } }

// Every strikes each n-th request: the n-th, the 2n-th and so on.
func Every(n int) When { return func(f *Fault) { f.every = n } }

// Path strikes requests whose escaped path contains part, such as a client's id
// or "/test/". Others are not counted.
func Path(part string) When { return func(f *Fault) { f.path = part } }

// Chance strikes with probability p, from 0 to 1, by a random source with this seed.
func Chance(p float64, seed uint64) When {
	return func(f *Fault) { f.below, f.chance = p, newRand(seed, 0xfa17) }
}

// Fail gives requests of op the effect in place of their answer, from now on and
// where every condition of when holds. Any means every request, those for tokens and
// unknown paths included. Of several faults that fit a request the one added first
// decides, and those after it do not count the request.
//
//	srv.Fail(truliootest.GetClient, truliootest.Answer(429, "").RetryAfter("2"), truliootest.Times(3))
//	srv.Fail(truliootest.Any, truliootest.Reset(), truliootest.Chance(0.1, 7))
func (s *Server) Fail(op Operation, effect Effect, when ...When) *Fault {
	f := &Fault{list: &s.faults, operation: op, effect: effect}
	for _, condition := range when {
		condition(f)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = append(s.faults.faults, f)
	return f
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = nil
}

// Hits is how many requests the fault has struck.
func (f *Fault) Hits() int {
	f.list.mu.Lock()
	defer f.list.mu.Unlock()
	return f.hits
}

// Stop ends the fault.
func (f *Fault) Stop() {
	f.list.mu.Lock()
	defer f.list.mu.Unlock()
	f.list.faults = slices.DeleteFunc(f.list.faults, func(other *Fault) bool { return other == f })
}

// faultList is the faults of a server, in the order they were added.
type faultList struct {
	mu     sync.Mutex
	faults []*Fault
}

func (l *faultList) strike(op Operation, r *http.Request) (Effect, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if f.strikes(op, r) {
			return f.effect, true
		}
	}
	return Effect{}, false
}

func (f *Fault) strikes(op Operation, r *http.Request) bool {
	if f.operation != Any && f.operation != op {
		return false
	}
	if f.path != "" && !strings.Contains(r.URL.EscapedPath(), f.path) {
		return false
	}
	f.seen++
	n := f.seen - f.skip
	if n <= 0 || f.times > 0 && f.hits >= f.times || f.every > 1 && n%f.every != 0 {
		return false
	}
	if f.chance != nil && f.chance.Float64() >= f.below {
		return false
	}
	f.hits++
	return true
}

// Effect says what happens to a request that a fault strikes. The functions below make
// one; its methods add to it and can be chained.
type Effect struct {
	do        func(w http.ResponseWriter, r *http.Request, next http.Handler) // nil passes the request on
	cut       cutKind
	at        int64 // bytes of the body before cut
	pause     time.Duration
	delay     time.Duration
	header    http.Header
	retryDate time.Duration
}

// Pass serves the request normally. It is of use with Delayed and Header.
func Pass() Effect { return Effect{} }

// Answer answers with the status and the body. The content type follows from
// the body's first byte: JSON for { and [, HTML for <, else plain text.
func Answer(status int, body string) Effect {
	return Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { answer(w, status, body) })
}

// Redirect answers with the status, such as 302 or 307, and a Location.
func Redirect(status int, location string) Effect {
	return Answer(status, "").Header("Location", location)
}

// Handle lets h answer. next serves the request normally.
func Handle(h func(w http.ResponseWriter, r *http.Request, next http.Handler)) Effect {
	return Effect{do: h}
}

// Reset breaks the connection before the first byte of the answer.
func Reset() Effect {
	return Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { resetConnection(w) })
}

// Hang never answers: the request ends when the client gives up or the server closes.
func Hang() Effect {
	return Handle(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// ResetAfter breaks the connection after n bytes of the body. With this effect
// and the next four, a body of at most n bytes passes whole.
func ResetAfter(n int64) Effect { return Effect{cut: cutReset, at: n} }

// Cut closes the connection after n bytes, although Content-Length promised more.
func Cut(n int64) Effect { return Effect{cut: cutClose, at: n} }

// CutChunked sends the body in chunks and closes the connection after n bytes,
// without the last chunk.
func CutChunked(n int64) Effect { return Effect{cut: cutChunked, at: n} }

// Truncate sends n bytes of the body as if they were all: the answer is well
// formed as HTTP and ends in the middle.
func Truncate(n int64) Effect { return Effect{cut: cutTruncate, at: n} }

// Stall sends n bytes of the body, pauses for d and sends the rest. A d of 0 means for
// ever.
func Stall(n int64, d time.Duration) Effect { return Effect{cut: cutStall, at: n, pause: d} }

// Delayed waits for d before anything else.
func (e Effect) Delayed(d time.Duration) Effect {
	e.delay = d
	return e
}

// Header sets a header of the answer, such as Content-Type, in place of its normal
// value. An empty value removes it.
func (e Effect) Header(name, value string) Effect {
	e.header = e.header.Clone()
	if e.header == nil {
		e.header = http.Header{}
	}
	e.header.Set(name, value)
	return e
}

// RetryAfter sets Retry-After as it is given: a number of seconds, or anything else
// that a server might send.
func (e Effect) RetryAfter(seconds string) Effect { return e.Header("Retry-After", seconds) }

// RetryAfterDate sets Retry-After to the time of the answer plus in, as a date. HTTP
// dates have whole seconds.
func (e Effect) RetryAfterDate(in time.Duration) Effect {
	e.retryDate = in
	return e
}

// apply gives the effect to one request.
func (e Effect) apply(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if e.delay > 0 && !transport.Wait(r.Context(), e.delay) {
		panic(http.ErrAbortHandler)
	}
	if e.retryDate != 0 {
		e = e.Header("Retry-After", time.Now().Add(e.retryDate).UTC().Format(http.TimeFormat))
	}
	shaped := &shapedWriter{ResponseWriter: w, effect: e, left: e.at, done: r.Context()}
	if e.do == nil {
		next.ServeHTTP(shaped, r)
		return
	}
	e.do(shaped, r, next)
}

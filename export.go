package trulioo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo/internal/pace"
	"github.com/trulioo-go/trulioo/internal/redact"
)

// ClientFilter chooses end clients for an export. Its fields mean what those
// of ClientListOptions do; the zero value is the whole account.
type ClientFilter struct {
	After, Before time.Time // bounds of the time; clients without a date are in no bounds
	Statuses      []Status  // any of these
	FlowID        string    // only those who have been through this workflow
}

// ExportOptions shape an export. The zero value exports the whole account.
type ExportOptions struct {
	Filter ClientFilter

	// Concurrency bounds the requests for profiles, and OnProfile with them;
	// 0 is 8. The list is read beside them with at most 4 requests at once.
	Concurrency int

	// FullServiceDetails is as in GetOptions.
	FullServiceDetails bool

	// SummariesOnly leaves the profiles out: items have their Client only.
	SummariesOnly bool

	// Slice exports a piece of the account that ClientsService.Slices has cut.
	Slice Slice

	// Resume goes on after the item that this cursor came with. A cursor of another
	// environment, API version, filter or slice is an *ArgumentError. Alone it
	// gives every client at least once over a crash; with Skip exactly once.
	Resume Cursor

	// Skip reports whether the caller has the client of this id already: it is then
	// neither fetched nor yielded. It is called from one goroutine at a time,
	// which is not the caller's.
	Skip func(clientID string) bool

	// OnProfile is called for each profile as it comes, before its turn to be
	// yielded, on up to Concurrency goroutines at once: the place to save its files. It
	// counts as the profile's request does, so while it makes one request at a
	// time Concurrency bounds files and profiles together. c is the client to
	// use, since the export slows down for what the server says to it. The error
	// becomes the item's Err, a *ExportError.
	OnProfile func(ctx context.Context, c *Client, p *Profile) error

	// OnProgress is called after each client, in the goroutine of the loop, before
	// the item is yielded. It should be quick.
	OnProgress func(ExportProgress)
}

// ExportProgress is how far an export has come, in clients.
type ExportProgress struct {
	Done    int // yielded without an error
	Failed  int // yielded with Err
	Gone    int // deleted between the list and the fetch: they are not yielded
	Skipped int // by Skip, or before Resume in the slice that it lies in
	Total   int // the server's count at the start, of what was left then; clients may be added

	Rate    float64 // clients a second since the start, those skipped apart
	Elapsed time.Duration

	// Fallback says that the server ignores the bounds of time, so that the list
	// could only be read page by page, several times over. That finds what a
	// moving list lets one find, and a cursor then starts from the beginning.
	Fallback bool
}

// ExportItem is one client of an export.
type ExportItem struct {
	Client  *EndClient // the row of the list; never nil
	Profile *Profile   // nil where Err came before it, and with SummariesOnly
	Err     error      // a *ExportError: this client could not be had; the export goes on
	Cursor  Cursor     // resumes after this item, once it and those before it are safe
}

// Format prints the type's name only: all of it is personal.
func (i ExportItem) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ExportItem") }

// LogValue is the type's name, for slog.
func (i ExportItem) LogValue() slog.Value { return redact.Value("trulioo.ExportItem") }

// ExportError means that one client could not be exported. It prints its cause,
// and never the client's id.
type ExportError struct {
	Operation string // "get client", or "handle profile" where OnProfile failed
	ClientID  string // the end client's id, which is personal

	cause error
}

// Error names the operation and the cause, as far as that is this library's own.
func (e *ExportError) Error() string {
	var (
		api    *APIError
		decode *DecodeError
		own    error
	)
	switch {
	case errors.As(e.cause, &api):
		own = api
	case errors.As(e.cause, &decode):
		own = decode
	}
	if own != nil {
		return "trulioo: export: " + strings.TrimPrefix(own.Error(), "trulioo: ")
	}
	text := "trulioo: export: " + cmp.Or(e.Operation, "get client")
	if e.cause != nil {
		text += ": " + cause(e.cause)
	}
	return text
}

// Unwrap gives the cause, such as an *APIError or what OnProfile returned.
func (e *ExportError) Unwrap() error { return e.cause }

// Format prints Error whatever the verb, %#v included.
func (e ExportError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// LogValue is Error, for slog.
func (e ExportError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Export yields every client of the account with its profile, in parallel and
// while the account changes: each client that exists from the start to the end
// is yielded exactly once, or the export ends with an error. Clients that come
// later may be yielded, those deleted meanwhile may not.
//
// An error ends the export: no token, no right to list, the end of ctx, a wrong
// argument, a list that contradicts itself (ErrPaging), or an account told to
// wait for longer than the retry policy allows. One client that cannot be had
// is no such error but the Err of its item.
//
// Items come in the order of the list's Created, then ID, except clients that
// only later looks at the list can find: those that have changed meanwhile where the
// server filters by the last change, and those without a date, come at the
// end. Up to 8 × Concurrency profiles are fetched ahead of the loop. A 429 or a
// 409 halves the requests made at once, and answers raise them again.
// Leaving the loop ends it all and waits for it. opts may be nil.
func (s *ClientsService) Export(ctx context.Context, opts *ExportOptions) iter.Seq2[*ExportItem, error] {
	o := deref(opts)
	o.Filter.Statuses = slices.Clone(o.Filter.Statuses)
	o.Concurrency = cmp.Or(o.Concurrency, defaultConcurrency)
	return func(yield func(*ExportItem, error) bool) {
		x, err := newExport(ctx, s.client, &o)
		if err != nil {
			yield(nil, err)
			return
		}
		x.run(ctx, yield)
	}
}

const (
	defaultConcurrency = 8
	lookAhead          = 8 // times the concurrency: clients listed and not yet yielded
)

// export is one run over the account.
type export struct {
	*ExportOptions
	client  *Client
	gate    *pace.Gate
	lister  *lister
	queue   chan *entry // in the order of yielding
	work    chan *entry
	ready   chan struct{} // closed: nothing to fetch
	began   time.Time
	count   ExportProgress
	skipped atomic.Int64
	fatal   chan error // the first error of a worker that ends it all
}

// entry is a client on its way from the list to the loop.
type entry struct {
	item ExportItem
	gone bool
	done chan struct{} // closed when all of the above is set
}

func newExport(ctx context.Context, client *Client, o *ExportOptions) (*export, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if o.Concurrency < 0 {
		return nil, &ArgumentError{Argument: "ExportOptions.Concurrency", Reason: "must not be negative"}
	}
	x := &export{
		ExportOptions: o,
		gate:          pace.New(o.Concurrency),
		queue:         make(chan *entry, lookAhead*o.Concurrency-1),
		work:          make(chan *entry, lookAhead*o.Concurrency),
		ready:         make(chan struct{}),
		began:         time.Now(),
		fatal:         make(chan error, 1),
	}
	close(x.ready)
	tap := &pace.Tap{Base: client.family.base, Gate: x.gate}
	f := *client.family
	f.base = tap
	x.client = build(client.config, &f)
	var err error
	x.lister, err = newLister(x.client, tap, o)
	if err != nil {
		return nil, err
	}
	x.lister.deliver = x.deliver
	return x, nil
}

// run starts the lister and the workers, and yields what they bring.
func (x *export) run(outer context.Context, yield func(*ExportItem, error) bool) {
	ctx, cancel := context.WithCancel(outer)
	var hands sync.WaitGroup
	defer hands.Wait()
	defer cancel()
	listed := make(chan error, 1)
	hands.Go(func() {
		defer close(x.queue)
		defer close(x.work)
		listed <- x.lister.run(ctx)
	})
	if !x.SummariesOnly {
		// A worker gives its place on before it decodes a large profile, so there are
		// a few more workers than places.
		for range x.Concurrency + runtime.GOMAXPROCS(0) {
			hands.Go(func() { x.fetchAll(ctx, cancel) })
		}
	}
	if !x.yieldAll(ctx, yield) {
		return
	}
	if err := x.end(outer, listed); err != nil {
		yield(nil, err)
	}
}

// end is why there are no more items; nil where all is there.
func (x *export) end(outer context.Context, listed <-chan error) error {
	select {
	case err := <-x.fatal:
		return err
	default:
	}
	if err := outer.Err(); err != nil {
		return transportError("export", err, 0)
	}
	return <-listed
}

// yieldAll yields in the order of the list until there is no more, or until ctx
// ends and the next one is not there; false says that the loop was left.
func (x *export) yieldAll(ctx context.Context, yield func(*ExportItem, error) bool) bool {
	for {
		var e *entry
		select {
		case e = <-x.queue:
		case <-ctx.Done():
			return true
		}
		if e == nil {
			return true
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return true
		}
		x.report(e)
		if !e.gone && !yield(&e.item, nil) {
			return false
		}
	}
}

func (x *export) report(e *entry) {
	switch {
	case e.gone:
		x.count.Gone++
	case e.item.Err != nil:
		x.count.Failed++
	default:
		x.count.Done++
	}
	if x.OnProgress == nil {
		return
	}
	p := x.count
	p.Skipped = int(x.skipped.Load())
	p.Total = int(x.lister.total.Load())
	p.Fallback = x.lister.fallback.Load()
	p.Elapsed = time.Since(x.began)
	p.Rate = float64(p.Done+p.Failed+p.Gone) / max(p.Elapsed.Seconds(), 1e-9)
	x.OnProgress(p)
}

// deliver takes a client of the list. It waits while the loop is too far behind.
func (x *export) deliver(ctx context.Context, client *EndClient, at Cursor, before bool) error {
	if before || x.Skip != nil && x.Skip(client.ID) {
		x.skipped.Add(1)
		return nil
	}
	e := &entry{item: ExportItem{Client: client, Cursor: at}, done: x.ready}
	if !x.SummariesOnly {
		e.done = make(chan struct{})
	}
	select {
	case x.queue <- e:
	case <-ctx.Done():
		return transportError("export", ctx.Err(), 0)
	}
	if !x.SummariesOnly {
		x.work <- e // as large as the queue and the one entry in the loop's hands
	}
	return nil
}

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

	"github.com/trulioo-go/trulioo/internal/census"
	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/inorder"
	"github.com/trulioo-go/trulioo/internal/pace"
	"github.com/trulioo-go/trulioo/internal/redact"
)

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
	Gone    int // deleted between the list and the fetch, in the API's own words: they are not yielded
	Skipped int // by Skip, or before Resume in the slice that it lies in
	Total   int // the server's count at the start, of what was left then; clients may be added

	Rate    float64 // clients a second since the start, those skipped apart
	Elapsed time.Duration

	// Fallback says that the server ignores the bounds of time or sends no counts, so
	// that the list could only be read page by page, several times over. That finds what a
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

// MarshalText is Error, for encoding/json and its like.
func (e ExportError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Export yields every client of the account with its profile, in parallel and
// while the account changes: each client that exists from the start to the end
// is yielded exactly once, or the export ends with an error. Clients that come
// later may be yielded, those deleted meanwhile may not.
//
// An error ends the export: no token, no right to list, the end of ctx, a wrong
// argument, a list that contradicts itself (ErrPaging), nearly every client said
// not to exist (ErrUnexpectedAnswer), or an account told to
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

	// How many more calls are made where the core's retries have not helped.
	throttledCalls = 8 // the server says that there are too many requests
	refusedCalls   = 3 // the token was revoked again before the replay
	brokenLists    = 3 // a list that fails ends the export
	brokenProfiles = 1

	largeBody = 32 << 10 // bytes
)

// export is one run over the account.
type export struct {
	*ExportOptions
	client  *Client
	gate    *pace.Gate
	lister  *census.Lister
	line    *inorder.Line[entry]
	place   census.Place // of its cursors
	began   time.Time
	count   ExportProgress
	skipped atomic.Int64

	hireMore func() // a few workers beyond the places, the first time that it is called
}

// entry is a client on its way from the list to the loop.
type entry struct {
	ExportItem
	gone bool
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
		line:          inorder.New[entry](lookAhead * o.Concurrency),
		began:         time.Now(),
	}
	tap := &pace.Tap{Base: client.family.base, Gate: x.gate}
	f := *client.family
	f.base = tap
	x.client = build(client.config, &f)
	c, place, err := o.reading(client.config)
	if err != nil {
		return nil, err
	}
	c.List, c.Tap, c.Deliver = x.list, tap, x.deliver
	x.lister, x.place = census.New(c), place
	return x, nil
}

// run starts the lister and the workers, and yields what they bring. A panic in
// the caller's functions, or in his transport, is raised here.
func (x *export) run(outer context.Context, yield func(*ExportItem, error) bool) {
	workers, ctx := guard.NewGroup(outer)
	defer func() {
		workers.Cancel()
		_ = workers.Wait()
	}()
	var listed error
	workers.Start(func() error {
		defer x.line.Close()
		listed = x.lister.Run(ctx)
		return nil // the clients that it has found come first
	})
	hire := func(n int) {
		for range n {
			workers.Start(func() error { return x.work(ctx) })
		}
	}
	x.hireMore = sync.OnceFunc(func() { hire(runtime.GOMAXPROCS(0)) })
	if !x.SummariesOnly {
		hire(x.Concurrency)
	}
	for e := range x.line.All(ctx) {
		x.report(e)
		if x.count.nearlyAllGone(goneOnTheWay) {
			yield(nil, x.goneError())
			return
		}
		if !e.gone && !yield(&e.ExportItem, nil) {
			return
		}
	}
	err := workers.Wait()
	switch {
	case errors.Is(err, guard.ErrGoexit):
		err = x.client.config.asked("export").transportError(err, 0)
	case err == nil && outer.Err() != nil:
		err = x.client.config.asked("export").transportError(outer.Err(), 0)
	case err == nil:
		err = listError(listed)
	}
	if err == nil && x.count.nearlyAllGone(goneAtTheEnd) {
		err = x.goneError()
	}
	if err != nil {
		yield(nil, err)
	}
}

// How many clients must be gone before it counts that nearly all are. On the way
// there may be a run of them, such as of old clients that are being deleted.
const (
	goneOnTheWay = 100
	goneAtTheEnd = 5
)

// nearlyAllGone reports whether at least min clients, and nine in ten, do not
// exist by the API's words: the list that has just named them says otherwise.
func (p *ExportProgress) nearlyAllGone(min int) bool {
	return p.Gone >= min && p.Gone >= 9*(p.Done+p.Failed)
}

func (x *export) goneError() error {
	a := x.client.config.asked(routes.client.operation)
	return &DecodeError{
		Operation: a.operation, Where: a.where, cause: ErrUnexpectedAnswer,
		Reason: "nearly every client of the list is said not to exist",
	}
}

// work fetches until all is fetched, or until it cannot go on.
func (x *export) work(ctx context.Context) error {
	err := x.line.Work(ctx, x.fetch)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // another worker was first, or the loop has been left
	}
	return err
}

func (x *export) report(e *entry) {
	switch {
	case e.gone:
		x.count.Gone++
	case e.Err != nil:
		x.count.Failed++
	default:
		x.count.Done++
	}
	if x.OnProgress == nil {
		return
	}
	p := x.count
	p.Skipped = int(x.skipped.Load())
	p.Total = x.lister.Total()
	p.Fallback = x.lister.Fallback()
	p.Elapsed = time.Since(x.began)
	p.Rate = float64(p.Done+p.Failed+p.Gone) / max(p.Elapsed.Seconds(), 1e-9)
	x.OnProgress(p)
}

// deliver takes a client of the list. It waits while the loop is too far behind.
func (x *export) deliver(ctx context.Context, row census.Row, at census.Mark, before bool) error {
	if before || x.Skip != nil && x.Skip(row.ID) {
		x.skipped.Add(1)
		return nil
	}
	e := &entry{ExportItem: ExportItem{Client: row.Value.(*EndClient), Cursor: Cursor{census.Cursor{Place: x.place, Mark: at}}}}
	if x.SummariesOnly {
		return x.line.Put(ctx, e)
	}
	return x.line.PutWork(ctx, e)
}

// fetch fills the entry. An error is the end of ctx, or one that would meet every
// other client too.
func (x *export) fetch(ctx context.Context, e *entry) error {
	profile, err := x.get(ctx, e.Client.ID)
	var auth *AuthError
	var api *APIError
	switch {
	case err == nil:
		e.Profile = profile
		return x.handle(ctx, e)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &auth), errors.Is(err, ErrUnauthorized):
		return err
	case errors.Is(err, ErrNotFound):
		e.gone = true
		return nil
	case errors.As(err, &api) && api.RetryAfter > x.client.config.policy().MaxRetryAfter:
		return err
	}
	e.Err = &ExportError{Operation: routes.client.operation, ClientID: e.Client.ID, cause: err}
	return nil
}

// get is ClientsService.Get, held to the pace. The place of a large profile is given
// on as soon as its body is there, since decoding it takes a while, and to more
// workers than there are places; that of a small one with it, when its
// connection is sure to be free again.
func (x *export) get(ctx context.Context, id string) (*Profile, error) {
	for try := 0; ; try++ {
		if err := x.gate.Acquire(ctx); err != nil {
			return nil, err
		}
		held := true
		profile, err := x.client.Clients.profile(ctx, id, x.FullServiceDetails, func(size int) {
			if held && size > largeBody {
				held = false
				x.gate.Release()
				x.hireMore()
			}
		})
		if held {
			x.gate.Release()
		}
		if err == nil {
			return profile, nil
		}
		if !x.client.again(ctx, err, try, brokenProfiles) {
			return nil, err
		}
	}
}

// handle lets the caller work on the profile, in a place of its own.
func (x *export) handle(ctx context.Context, e *entry) error {
	if x.OnProfile == nil {
		return nil
	}
	if err := x.gate.Acquire(ctx); err != nil {
		return err
	}
	defer x.gate.Release()
	err := x.OnProfile(ctx, x.client, e.Profile)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		e.Err = &ExportError{Operation: "handle profile", ClientID: e.Client.ID, cause: err}
	}
	return nil
}

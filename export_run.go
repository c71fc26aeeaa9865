package trulioo

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	list "github.com/trulioo-go/trulioo/internal/export"
	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/transport"
)

const (
	defaultConcurrency = 8
	lookAhead          = 8 // times the concurrency: clients listed and not yet yielded

	// How many more calls are made where the core's retries have not helped.
	throttledCalls = 8 // the server says that there are too many requests
	refusedCalls   = 3 // the token was revoked again before the replay
	brokenLists    = 3 // a list that fails ends the export
	brokenProfiles = 1

	mostConcurrency = 1000     // a caller who gives more wants no bound
	largeBody       = 32 << 10 // bytes
	besideFrom      = 40       // pages of the list: fewer take no time worth saving
)

// export is one run over the account.
type export struct {
	*ExportOptions
	client  *Client
	limiter *list.AdaptiveLimiter
	scanner *list.Scanner[*EndClient]
	queue   *list.OrderedQueue[entry]
	scope   list.Scope // of its cursors
	began   time.Time
	count   ExportProgress
	last    Cursor // of the last item before one that failed
	broken  bool   // one has failed
	skipped atomic.Int64
	waited  atomic.Int64 // nanoseconds

	startMore func() // starts a few workers beyond the places, the first time that it is called
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
		limiter:       list.NewAdaptiveLimiter(o.Concurrency),
		queue:         list.NewOrderedQueue[entry](lookAhead * o.Concurrency),
		began:         time.Now(),
		last:          o.Resume,
	}
	c, scope, err := o.reading(client.config)
	if err != nil {
		return nil, err
	}
	origin, _ := url.Parse(client.config.baseURL) // validated
	f := *client.family
	f.base = &list.Feedback{Base: f.base, Limiter: x.limiter, Host: origin.Host}
	f.spread = x.limiter.Spread
	x.client = build(client.config, &f)
	x.client.patience = func() patience { return x.patience(brokenProfiles) }
	c.List, c.Refused, c.Scale, c.Deliver = x.list, refusedPage, x.limiter.Scale, x.deliver
	if !o.SummariesOnly {
		c.AtOnce = listsAtOnce(o.Concurrency)
		if o.Skip == nil { // where most clients are skipped, the list is all that takes time
			c.BesideFrom = besideFrom
		}
	}
	x.scanner, x.scope = list.New(c), scope
	return x, nil
}

// listsAtOnce is how many requests for the list feed that many workers. With the
// token's, an export opens at most 8 connections beyond its concurrency.
func listsAtOnce(concurrency int) int { return min(max(4, concurrency/8), 6) }

// run starts the scanner and the workers, and yields what they bring. A panic in
// the caller's functions, or in the transport, is raised here.
func (x *export) run(outer context.Context, yield func(*ExportItem, error) bool) {
	workers, ctx := guard.NewGroup(outer)
	defer func() {
		workers.Cancel()
		_ = workers.Wait()
	}()
	var scanned list.Report
	var scanError error
	workers.Start(func() error {
		defer x.queue.Close()
		scanned, scanError = x.scanner.Run(ctx)
		return nil // the clients that it has found come first
	})
	startWorkers := func(n int) {
		for range n {
			workers.Start(func() error { return x.work(ctx) })
		}
	}
	x.startMore = sync.OnceFunc(func() { startWorkers(runtime.GOMAXPROCS(0)) })
	if !x.SummariesOnly {
		startWorkers(x.Concurrency)
	}
	for e := range x.queue.All(ctx) {
		x.progress(e)
		if x.count.nearlyAllGone(goneOnTheWay) {
			workers.Cancel()
			break
		}
		if !e.gone && !yield(&e.ExportItem, nil) {
			return
		}
	}
	err := x.end(workers.Wait(), outer.Err(), scanError)
	x.report(scanned, err)
	if err != nil {
		yield(nil, err)
	}
}

// end is the error that ended the items; nil where all of them came.
func (x *export) end(worked, cancelled, scanned error) error {
	switch {
	case x.count.nearlyAllGone(goneOnTheWay):
		return x.goneError()
	case errors.Is(worked, guard.ErrGoexit):
		return x.client.config.asked(OperationExport).transportError(worked, 0)
	case worked != nil:
		return worked
	case cancelled != nil:
		return x.client.config.asked(OperationExport).transportError(cancelled, 0)
	case scanned != nil:
		return listError(scanned)
	case x.count.nearlyAllGone(goneAtTheEnd):
		return x.goneError()
	}
	return nil
}

// An export in which nearly all clients are gone ends with an error once there are
// so many of them. On the way more are needed, since old clients that are being
// deleted come one after another.
const (
	goneOnTheWay = 100
	goneAtTheEnd = 5
)

// nearlyAllGone reports whether at least min clients, and nine in ten, do not exist
// in the API's words, although its list has just named them.
func (p *ExportProgress) nearlyAllGone(min int) bool {
	return p.Gone >= min && p.Gone >= 9*(p.Done+p.Failed)
}

func (x *export) goneError() error {
	a := x.client.config.asked(routes.client.operation)
	return &DecodeError{
		Operation: a.operation, Where: a.where, cause: ErrUnexpectedAnswer,
		Reason: "the API answers not found for nearly every client of its list",
	}
}

// work fetches until all is fetched, or until it cannot go on.
func (x *export) work(ctx context.Context) error {
	err := x.queue.Work(ctx, x.fetch)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // another worker was first, or the loop has been left
	}
	return err
}

// report calls OnReport.
func (x *export) report(r list.Report, err error) {
	if x.OnReport == nil {
		return
	}
	if err != nil {
		r.Proven, r.Reason = false, cmp.Or(r.Reason, "the export ended early")
	}
	x.OnReport(ExportReport{
		Proven:   r.Proven,
		Reason:   r.Reason,
		Requests: r.Requests,
		Passes:   r.Passes,
		Dropped:  r.Dropped,
		Gone:     x.count.Gone,
		Waited:   time.Duration(x.waited.Load()),
	})
}

// progress counts a client, gives its item a cursor that passes over nobody, and
// tells OnProgress.
func (x *export) progress(e *entry) {
	switch {
	case e.gone:
		x.count.Gone++
	case e.Err != nil:
		x.count.Failed++
		x.broken = !x.PassFailed
	default:
		x.count.Done++
	}
	if !x.broken {
		x.last = e.Cursor
	}
	e.Cursor = x.last
	if x.OnProgress == nil {
		return
	}
	p := x.count
	p.Skipped = int(x.skipped.Load())
	p.Total = x.scanner.Total()
	p.Fallback = x.scanner.Fallback()
	p.Elapsed = time.Since(x.began)
	p.Rate = float64(p.Done+p.Failed+p.Gone) / max(p.Elapsed.Seconds(), 1e-9)
	x.OnProgress(p)
}

// list is ClientsService.List for a range of time, with more patience.
func (x *export) list(ctx context.Context, r list.TimeRange, number int) (*list.Page[*EndClient], error) {
	filter := x.Filter
	filter.After, filter.Before = r.Bounds()
	again := x.patience(brokenLists)
	for {
		page, err := listPage(ctx, x.client, routes.clients, filter.query(x.client.config.dialect, maxLimit, number), endClientOf)
		if err == nil {
			return scannerPage(page), nil
		}
		if !again(ctx, err) {
			return nil, err
		}
	}
}

// scannerPage is the page as the scanner takes it.
func scannerPage(p *Page[EndClient]) *list.Page[*EndClient] {
	rows := make([]list.Row[*EndClient], len(p.Data))
	for i, client := range p.Data {
		rows[i] = list.Row[*EndClient]{ID: client.ID, Created: client.Created.Time, Changed: client.LastModified.Time, Value: client}
	}
	return &list.Page[*EndClient]{Rows: rows, Total: p.TotalElements, Pages: p.TotalPages, Last: p.Last}
}

// refusedPage reports whether the error can be about the page's number.
func refusedPage(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	switch api.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return api.StatusCode >= http.StatusBadRequest && api.StatusCode < http.StatusInternalServerError
}

// listError turns a contradiction of the list into the typed error.
func listError(err error) error {
	if wrong, ok := errors.AsType[*list.Contradiction](err); ok {
		return pagingError(routes.clients.operation, wrong.Reason)
	}
	return err
}

// deliver takes a client of the list. It waits while the loop is too far behind.
func (x *export) deliver(ctx context.Context, row list.Row[*EndClient], at list.Position, before bool) error {
	if before || x.Skip != nil && x.Skip(row.Value) {
		x.skipped.Add(1)
		return nil
	}
	e := &entry{ExportItem: ExportItem{Client: row.Value, Cursor: Cursor{list.Cursor{Scope: x.scope, Position: at}}}}
	if x.SummariesOnly {
		return x.queue.Put(ctx, e)
	}
	return x.queue.PutWork(ctx, e)
}

// fetch fills the entry. An error is the end of ctx, or one that would meet every
// other client too.
func (x *export) fetch(ctx context.Context, e *entry) error {
	profile, err := x.get(ctx, e.Client.ID)
	var auth *AuthError
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
	case x.wantsQuiet(err):
		return err
	}
	e.Err = &ExportError{Operation: routes.client.operation, ClientID: e.Client.ID, cause: err}
	return nil
}

// wantsQuiet reports whether the server asks for a longer wait than the retry policy
// allows. Asking for all other clients would disregard that.
func (x *export) wantsQuiet(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.RetryAfter > x.client.config.policy().MaxRetryAfter &&
		(transport.Slows(api.StatusCode) || transport.AsksForQuiet(api.StatusCode, true))
}

// get is ClientsService.Get, held to the pace. A large profile gives its place back
// as soon as its body is there, since decoding it takes a while; there are then more
// workers than places. A small profile keeps its place until it is decoded, when its
// connection is sure to be free again.
func (x *export) get(ctx context.Context, id string) (*Profile, error) {
	again := x.patience(brokenProfiles)
	for {
		if err := x.limiter.Acquire(ctx); err != nil {
			return nil, err
		}
		held := true
		profile, err := x.client.Clients.profile(ctx, id, x.FullServiceDetails, func(size int) {
			if held && size > largeBody {
				held = false
				x.limiter.Release()
				x.startMore()
			}
		})
		if held {
			x.limiter.Release()
		}
		if err == nil {
			return profile, nil
		}
		if !again(ctx, err) {
			return nil, err
		}
	}
}

// handle lets the caller work on the profile, in a place of its own.
func (x *export) handle(ctx context.Context, e *entry) error {
	if x.OnProfile == nil {
		return nil
	}
	if err := x.limiter.Acquire(ctx); err != nil {
		return err
	}
	defer x.limiter.Release()
	err := x.OnProfile(ctx, x.client, e.Profile)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case x.wantsQuiet(err):
		return err
	}
	e.Err = &ExportError{Operation: OperationHandleProfile, ClientID: e.Client.ID, cause: err}
	return nil
}

// patience waits for a while after a call that failed, and reports whether another
// one may help where the retries of the core did not.
type patience func(ctx context.Context, err error) bool

// patience is that of one call. broken is how many more calls a broken connection or
// server deserves; none where the caller has turned retries off.
func (x *export) patience(broken int) patience {
	policy := x.client.config.policy()
	try, answers := 0, 0 // answers is the limiter's count when the call last failed
	most := func(err error) int {
		var auth *AuthError
		var network *TransportError
		var decode *DecodeError
		api, answered := errors.AsType[*APIError](err)
		retries := policy.MaxAttempts > 1
		switch {
		case errors.As(err, &auth), answered && api.RetryAfter > policy.MaxRetryAfter:
			return 0
		case answered && x.isThrottled(api, try > 0 && x.limiter.Answers() > answers):
			return throttledCalls
		case errors.Is(err, ErrUnauthorized):
			return refusedCalls
		case retries && answered && api.StatusCode == http.StatusNotFound && !errors.Is(err, ErrNotFound):
			return broken // a gateway's page, which may pass
		case retries && answered && transport.Passes(api.StatusCode):
			return broken
		case retries && (errors.As(err, &network) || errors.Is(err, ErrUnexpectedAnswer) || errors.Is(err, io.ErrUnexpectedEOF)):
			return broken
		case retries && errors.As(err, &decode) && decode.Path == "":
			return broken // the whole answer is wrong, such as two JSON values
		}
		return 0
	}
	return func(ctx context.Context, err error) bool {
		if try >= most(err) {
			return false
		}
		try++
		wait := transport.Backoff(policy.MinWait, policy.MaxWait, try)
		answers = x.limiter.Answers()
		x.waited.Add(int64(wait))
		return transport.Wait(ctx, wait)
	}
}

// isThrottled reports whether the answer is about too many requests. The answer of a
// server that may be down counts only if it says for how long, or if other requests
// are answered meanwhile.
func (x *export) isThrottled(api *APIError, othersAnswered bool) bool {
	sure := !transport.MayBeDown(api.StatusCode) || api.RetryAfter > 0 || othersAnswered
	return transport.Slows(api.StatusCode) && sure
}
